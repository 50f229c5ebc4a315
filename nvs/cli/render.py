"""`nvs render`: a scene file and a camera path to a video, a sheet or frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs.cameras import Camera
    from nvs.scene import Scene

FPS = 30.0
"""Of paths that say nothing of it."""


def render(
    scene: Annotated[Path, typer.Argument(help="A scene file.")],
    destination: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="video.mp4, sheet.png, or a folder for frames."
        ),
    ],
    path: options.CameraPath = "auto",
    dataparser: Annotated[
        Path | None,
        typer.Option(
            help="dataparser_transforms.json of the nerfstudio run whose viewer "
            "exported the path: brings it to the capture."
        ),
    ] = None,
    frames: options.NumFrames = 60,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second of a video; a JSON file's own, or 30."),
    ] = None,
    size: options.Size = None,
    elevation: options.Elevation = None,
    zoom: options.Zoom = 1.0,
    weights: options.Weights = None,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    memory_gib: options.MemoryGiB = None,
    json: options.Json = False,
) -> None:
    """Render a camera path from a scene file."""
    import time

    from nvs.scene import Renderer, Scene
    from nvs.scene.pictures import to_uint8
    from nvs.scene.scene import built_with
    from nvs.scene.video import check_output, write_output

    check_output(destination)
    _check_positive({"--frames": frames, "--fps": fps, "--zoom": zoom})
    loaded = Scene.load(scene)
    renderer = Renderer.from_weights(
        weights or built_with(loaded),
        device=device,
        precision=precision,
        budget_bytes=options.budget_bytes(memory_gib),
    )
    camera, usual_fps = _cameras(
        loaded,
        path,
        dataparser,
        frames,
        options.parse_size(size),
        renderer.config.patch_size,
        elevation,
        zoom,
    )
    start = time.perf_counter()
    images = output.tracked(
        renderer.render_iter(loaded, camera),
        "render",
        total=len(camera),
        unit="frames",
    )
    count = write_output(
        destination, (to_uint8(image) for image in images), fps=fps or usual_fps
    )
    seconds = time.perf_counter() - start
    output.print_result(
        {
            "output": str(destination),
            "frames": count,
            "height": camera.height,
            "width": camera.width,
            "device": str(renderer.device),
            "precision": renderer.precision.name,
            "seconds": seconds,
            "milliseconds_per_frame": 1000 * seconds / count,
        },
        as_json=json,
        title=f"rendered {destination}",
    )


def _check_positive(given: dict[str, float | None]) -> None:
    from nvs.errors import ConfigError

    for option, value in given.items():
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"{option} is {value}", remedy="It must be positive.")


def _cameras(
    scene: Scene,
    path: str,
    dataparser: Path | None,
    frames: int,
    size: tuple[int, int] | int | None,
    patch_size: int,
    elevation: float | None,
    zoom: float,
) -> tuple[Camera, float]:
    """The cameras of a path, and its frames a second."""
    import math
    from typing import get_args

    from nvs.cameras import read_camera_path
    from nvs.errors import ConfigError
    from nvs.scene.paths import PathName, scene_path
    from nvs.scene.resize import fitting_size

    source = (scene.height, scene.width)
    if isinstance(size, tuple):
        source, size = size, None
    height, width = fitting_size(source, longest_px=size, patch_size=patch_size)
    if path in get_args(PathName):
        camera = scene_path(
            scene,
            frames,
            height=height,
            width=width,
            path=path,
            elevation_radians=None if elevation is None else math.radians(elevation),
            zoom=zoom,
        )
    elif Path(path).is_file():
        read = read_camera_path(path, height=height, width=width, dataparser=dataparser)
        return read.camera, read.fps
    else:
        raise ConfigError(
            f"--path is {path!r}",
            remedy="Use auto, orbit, spiral, walk, or the name of a JSON file that "
            "exists.",
        )
    return camera, FPS
