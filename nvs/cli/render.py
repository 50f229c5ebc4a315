"""`nvs render`: a scene file and a camera path to a video, a sheet or frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs.cameras import Camera
    from nvs.scene import Scene


def render(
    scene: Annotated[Path, typer.Argument(help="A scene file.")],
    destination: Annotated[
        Path,
        typer.Option("-o", "--output", help="A .mp4, a .png, or a folder for frames."),
    ],
    path: options.CameraPath = None,
    dataparser: options.Dataparser = None,
    eye: options.Eye = None,
    target: options.Target = "0,0,0",
    up: Annotated[
        str | None, typer.Option(help="What is up in the picture; the scene's.")
    ] = None,
    fov: options.Fov = 50.0,
    input: options.Input = None,
    camera: options.CameraFile = None,
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
    devices: options.Devices = None,
    compile: options.Compile = False,
    precision: options.PrecisionName = None,
    memory_gib: options.MemoryGiB = None,
    json: options.Json = False,
) -> None:
    """Render a camera path from a scene file, or one camera.

    A camera is said by --eye, by an --input view or by a --camera file.
    """
    import time

    from nvs.cameras import parse_camera_path, read_camera_path
    from nvs.cameras.camera_path import FPS
    from nvs.errors import ConfigError
    from nvs.model.weights import load_weights
    from nvs.parallel import launch
    from nvs.parallel.devices import own_device
    from nvs.parallel.meeting import joined
    from nvs.scene import Renderer, Scene
    from nvs.scene.paths import scene_input
    from nvs.scene.pictures import to_uint8
    from nvs.scene.precision import pick_device
    from nvs.scene.resize import fitting_size
    from nvs.scene.scene import built_with
    from nvs.scene.video import check_output, write_output

    if sum(given is not None for given in (path, eye, input, camera)) > 1:
        raise ConfigError(
            "which camera is meant is said more than once",
            remedy="Give one of --path, --eye, --input and --camera.",
        )
    check_output(destination)
    _check_positive({"--frames": frames, "--fps": fps, "--zoom": zoom})
    if launch.started(devices):
        return
    with joined(pick_device(own_device(device, devices))) as group:
        loaded = Scene.load(scene)
        with group.first_before_others():
            named = load_weights(weights) if weights else built_with(loaded)
        renderer = Renderer.from_weights(
            named,
            precision=precision,
            budget_bytes=options.budget_bytes(memory_gib),
            compile=compile,
            group=group,
        )
        source, wanted = (loaded.height, loaded.width), options.parse_size(size)
        if isinstance(wanted, tuple):
            source, wanted = wanted, None
        height, width = fitting_size(
            source, longest_px=wanted, patch_size=renderer.config.patch_size
        )
        large = renderer.trained_on.size_concern(renderer.model_id, height, width)
        if large and group.is_first:
            output.say(f"nvs: {large}")
        usual_fps = FPS
        if eye is not None:
            place = {
                "eye": options.parse_vector(eye, "--eye"),
                "target": options.parse_vector(target, "--target"),
                "up": list(options.parse_up(up) or loaded.up),
                "vertical_fov_degrees": fov,
            }
            cameras = parse_camera_path(place, height, width).camera
        elif input is not None:
            cameras = scene_input(loaded, input, height=height, width=width)
        elif camera is not None:
            read = read_camera_path(camera, height, width, dataparser=dataparser)
            cameras, usual_fps = read.camera, read.fps
        else:
            cameras, stated_fps = _path(
                loaded,
                path or "auto",
                dataparser,
                frames,
                height,
                width,
                elevation,
                zoom,
            )
            usual_fps = stated_fps or FPS
        with group.first_before_others():
            renderer.wait_compiled(height, width, output.say_nvs)
        start = time.perf_counter()
        images = renderer.render_dealt(loaded, cameras, to_uint8)
        if not group.is_first:
            for _ in images:  # it yields none, and renders those of this rank
                pass
            return
        count = write_output(
            destination,
            output.tracked(images, "render", total=len(cameras), unit="frames"),
            fps=fps or usual_fps,
        )
        seconds = time.perf_counter() - start
        output.print_result(
            {
                "output": str(destination),
                "frames": count,
                "height": height,
                "width": width,
                "device": devices or str(renderer.device),
                "precision": renderer.computes,
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


def _path(
    scene: Scene,
    path: str,
    dataparser: Path | None,
    frames: int,
    height: int,
    width: int,
    elevation: float | None,
    zoom: float,
) -> tuple[Camera, float | None]:
    """The cameras of a path, and its frames a second where it says them."""
    import math
    from typing import get_args

    from nvs.cameras import read_camera_path
    from nvs.errors import ConfigError
    from nvs.scene.paths import PathName, scene_path

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
    return camera, None
