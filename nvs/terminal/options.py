"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.errors import ConfigError

Weights = Annotated[
    str | None,
    typer.Option(
        help="Named weights (see `nvs weights list`), a file or an exported folder."
    ),
]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, …; CUDA where there is some.")
]
Devices = Annotated[
    str | None,
    typer.Option(
        help="Several devices instead: 4 (CUDA), cuda:0,cuda:1, or cpu:2 for two "
        "processes on the CPU. Starts one process for each."
    ),
]
PrecisionName = Annotated[
    str | None,
    typer.Option(
        "--precision",
        envvar="NVS_PRECISION",
        help="auto (bfloat16 where the device is faster in it), float32 or bfloat16.",
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile/--no-compile",
        envvar="NVS_COMPILE",
        help="Run what is compiled for this machine and network; the first time waits "
        "some minutes for it.",
    ),
]
MemoryGiB = Annotated[
    float | None,
    typer.Option(help="Memory for activations, beside weights and residual stream."),
]
Size = Annotated[
    str | None,
    typer.Option(help="HEIGHTxWIDTH in pixels, or the length of the longer side."),
]
Views = Annotated[
    str | None, typer.Option(help="Frames to use, such as 0,4,8-11; all.")
]
Framing = Annotated[
    str,
    typer.Option(
        help="How cameras come to the model: auto (as they and the weights say), "
        "none, mean_camera, or object."
    ),
]
Convention = Annotated[
    str,
    typer.Option(
        help="How poses were stored: opencv, as the layout says; opengl, y and z of "
        "cameras turned round; inverted or inverted-opengl, the inverse of what "
        "the layout says."
    ),
]
CameraPath = Annotated[
    str | None,
    typer.Option(
        "--path",
        help="auto (an orbit where the inputs surround the object, otherwise a walk), "
        "orbit, spiral, walk (through the input cameras), or a JSON file: a camera "
        "path of ours or of the nerfstudio viewer, or cameras; auto.",
    ),
]
Dataparser = Annotated[
    Path | None,
    typer.Option(
        help="dataparser_transforms.json of the nerfstudio run whose viewer exported "
        "the path: brings it to the capture."
    ),
]
Eye = Annotated[str | None, typer.Option(help="Where the camera is, such as 2.5,0,1.")]
Target = Annotated[str, typer.Option(help="What it looks at.")]
UpInPicture = Annotated[str, typer.Option("--up", help="What is up in the picture.")]
Fov = Annotated[float, typer.Option(help="Vertical field of view in degrees.")]
Input = Annotated[
    int | None, typer.Option("--input", help="The camera of an input view, by index.")
]
CameraFile = Annotated[
    Path | None,
    typer.Option(
        "--camera",
        help="JSON file: a camera, as the viewer copies it, a list of them, or a path.",
    ),
]
NumFrames = Annotated[int, typer.Option("--frames", help="Frames of a generated path.")]
Elevation = Annotated[
    float | None, typer.Option(help="Elevation of an orbit in degrees.")
]
Zoom = Annotated[float, typer.Option(help="Focal length factor of an orbit.")]
Up = Annotated[
    str | None,
    typer.Option(
        help="Up axis of the capture's world: x, y, z, -x, -y, -z or three numbers, "
        "such as 0,0.1,-1; found from the cameras."
    ),
]
Holdout = Annotated[
    int | None,
    typer.Option(
        help="Keep every n-th view out, such as 8, render it, and say how close it "
        "comes; `nvs build` writes a picture beside the scene."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="File to write.")]


def parse_size(text: str | None) -> tuple[int, int] | int | None:
    """`270x480` as (height, width), `256` as the longer side.

    Raises:
        ConfigError: If it is neither.
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(
            f"--size is {text!r}",
            remedy="Give HEIGHTxWIDTH such as 270x480, or one number.",
        )
    sides = [int(part) for part in parts]
    return (sides[0], sides[1]) if len(sides) == 2 else sides[0]


def parse_indices(text: str | None, option: str) -> list[int] | None:
    """`0,4,8-11` as a list of indices.

    Raises:
        ConfigError: If it is not a list of numbers and ranges.
    """
    if text is None:
        return None
    indices: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ConfigError(
                f"{option} has {part!r}",
                remedy="Give numbers and ranges such as 0,4,8-11.",
            )
        indices.extend(range(int(first), int(last if dash else first) + 1))
    return indices


def parse_up(text: str | None) -> tuple[float, float, float] | None:
    """`-y`, or `0,-1,0`, as three numbers.

    Raises:
        ConfigError: If it is neither.
    """
    if text is None:
        return None
    sign, name = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    if name in ("x", "y", "z"):
        x, y, z = (sign * float(name == axis) for axis in "xyz")
        return x, y, z
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"--up is {text!r}",
            remedy="Give x, y, z, -x, -y, -z, or three numbers such as 0,0.1,-1.",
        ) from error
    return x, y, z


def parse_vector(text: str, option: str) -> list[float]:
    """`2.5,0,1` as three numbers.

    Raises:
        ConfigError: If it is not that.
    """
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"{option} is {text!r}", remedy="Give three numbers such as 2.5,0,1."
        ) from error
    return [x, y, z]


def budget_bytes(memory_gib: float | None) -> int | None:
    """A memory option in bytes.

    Raises:
        ConfigError: If it is not positive.
    """
    if memory_gib is None:
        return None
    if not memory_gib > 0:
        raise ConfigError(
            f"--memory-gib is {memory_gib}", remedy="It must be positive, such as 4."
        )
    return int(memory_gib * 2**30)
