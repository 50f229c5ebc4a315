"""`nvs remote render`: pictures of a scene of a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.cli.remote import options, sizes
from nvs.terminal import options as common
from nvs.terminal import output

if TYPE_CHECKING:
    from nvs.client import Camera, Client

FORMATS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".npy": "float32",
}


def render(
    scene: options.SceneId,
    destination: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help=".png, .jpg, .webp or .npy (float32); a folder for several cameras.",
        ),
    ],
    eye: Annotated[
        str | None, typer.Option(help="Where the camera is, such as 2.5,0,1.")
    ] = None,
    target: Annotated[str, typer.Option(help="What it looks at.")] = "0,0,0",
    up: Annotated[str, typer.Option(help="What is up in the picture.")] = "0,0,1",
    fov: Annotated[
        float, typer.Option(help="Vertical field of view in degrees.")
    ] = 50.0,
    input: Annotated[
        int | None, typer.Option(help="The camera of an input view, by index.")
    ] = None,
    camera: Annotated[
        Path | None, typer.Option(help="JSON file with a camera, or a list of them.")
    ] = None,
    size: common.Size = None,
    background: Annotated[
        str, typer.Option(help="model, transparent, or a colour such as #ffffff.")
    ] = "model",
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """Render a picture, from --eye, from an --input view or from a --camera file."""
    from nvs.client import LookAt
    from nvs.errors import ConfigError

    if sum(given is not None for given in (eye, input, camera)) != 1:
        raise ConfigError(
            "which camera is meant is not said, or said more than once",
            remedy="Give one of --eye, --input and --camera.",
        )
    several = not destination.suffix
    if not several and destination.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"cannot write {destination}",
            remedy=f"Name a file with one of {', '.join(FORMATS)}, or a folder.",
        )
    cameras: list[Camera] = []
    if eye is not None:
        cameras = [
            LookAt(
                eye=_vector(eye, "--eye"),
                target=_vector(target, "--target"),
                up=_vector(up, "--up"),
                vertical_fov_degrees=fov,
            )
        ]
    elif camera is not None:
        cameras = _read(camera)
    if len(cameras) > 1 and not several:
        raise ConfigError(
            f"{camera} has {len(cameras)} cameras, {destination} is one file",
            remedy="Name a folder.",
        )
    with options.connect(server, key_file) as client:
        height, width = sizes.picture_size(client, client.scene(scene), size)
        if input is not None:
            cameras = [_input(client, scene, input, height, width)]
        pictures = client.render_batch(
            scene,
            cameras,
            height=height,
            width=width,
            format="png" if several else FORMATS[destination.suffix.lower()],
            background=background,
        )
    _write(destination, pictures)
    output.print_result(
        {
            "output": str(destination),
            "pictures": len(pictures),
            "height": height,
            "width": width,
        },
        as_json=json,
        title=f"rendered {destination}",
    )


def _write(destination: Path, pictures: list[Any]) -> None:
    import numpy as np

    from nvs.files import atomic_output

    with atomic_output(destination) as temporary:
        if not destination.suffix:
            temporary.mkdir()
            for index, picture in enumerate(pictures):
                (temporary / f"{index:05d}.png").write_bytes(picture.data)
        elif destination.suffix.lower() == ".npy":
            np.save(temporary, pictures[0].array())
        else:
            temporary.write_bytes(pictures[0].data)


def _input(
    client: Client, scene_id: str, index: int, height: int, width: int
) -> Camera:
    from nvs.errors import ConfigError

    inputs = client.inputs(scene_id)
    if not 0 <= index < len(inputs):
        raise ConfigError(
            f"--input is {index}", remedy=f"Choose from 0 to {len(inputs) - 1}."
        )
    chosen = inputs[index]
    return chosen.camera.scaled(
        height=height / chosen.height, width=width / chosen.width
    )


def _read(file: Path) -> list[Camera]:
    from json import loads

    from nvs.errors import CameraError

    try:
        content = loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CameraError(
            f"{file} is not readable JSON ({error})",
            remedy="Check that the file exists and is complete.",
        ) from error
    cameras: list[Any] = content if isinstance(content, list) else [content]
    if not cameras or not all(isinstance(one, dict) for one in cameras):
        raise CameraError(
            f"{file} holds no cameras",
            remedy="Give an object with eye, target and vertical_fov_degrees, or "
            "with world_from_camera, or a list of them.",
        )
    return cameras


def _vector(text: str, option: str) -> list[float]:
    from nvs.errors import ConfigError

    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"{option} is {text!r}", remedy="Give three numbers such as 2.5,0,1."
        ) from error
    return [x, y, z]
