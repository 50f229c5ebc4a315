"""`nvs remote render | video`: pictures and videos of a scene of a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.cli.remote import bars, connection
from nvs.errors import ConfigError, OutputError
from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs.client import Camera, Client, Scene

FORMATS = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".npy": "float32",
}


def render(
    scene: connection.SceneId,
    destination: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help=".png, .jpg, .webp or .npy (float32); a folder for several cameras.",
        ),
    ],
    eye: options.Eye = None,
    target: options.Target = "0,0,0",
    up: options.UpInPicture = "0,0,1",
    fov: options.Fov = 50.0,
    input: options.Input = None,
    camera: options.CameraFile = None,
    dataparser: options.Dataparser = None,
    size: options.Size = None,
    background: Annotated[
        str, typer.Option(help="model, transparent, or a colour such as #ffffff.")
    ] = "model",
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Render a picture, from --eye, from an --input view or from a --camera file."""
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
            {
                "eye": options.parse_vector(eye, "--eye"),
                "target": options.parse_vector(target, "--target"),
                "up": options.parse_vector(up, "--up"),
                "vertical_fov_degrees": fov,
            }
        ]
    with connection.connect(server, key_file) as client:
        height, width = _picture_size(client, client.scene(scene), size)
        if input is not None:
            cameras = [_input(client, scene, input, height, width)]
        elif camera is not None:
            cameras = _read(camera, height, width, dataparser)["frames"]
        if len(cameras) > 1 and not several:
            raise ConfigError(
                f"{camera} has {len(cameras)} cameras, {destination} is one file",
                remedy="Name a folder.",
            )
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


def video(
    scene: connection.SceneId,
    destination: options.Output,
    path: options.CameraPath = None,
    dataparser: options.Dataparser = None,
    frames: options.NumFrames = 60,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second of the video; those of the file, or 30."),
    ] = None,
    size: options.Size = None,
    elevation: options.Elevation = None,
    zoom: options.Zoom = 1.0,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Render a video and fetch it; Ctrl-C cancels it."""
    if destination.suffix != ".mp4":
        raise OutputError(f"cannot write {destination}", remedy="Name an .mp4 file.")
    with connection.connect(server, key_file) as client:
        height, width = _picture_size(client, client.scene(scene), size)
        trajectory = _trajectory(
            *(path or "auto", dataparser, frames, elevation, zoom),
            height=height,
            width=width,
        )
        job = client.render_video(
            scene,
            trajectory,
            height=height,
            width=width,
            fps=fps or trajectory.get("camera_path", {}).get("fps"),
            wait=False,
        )
        bars.waited(client, job)
        with bars.transfer(destination.name) as update:
            num_bytes = client.download_video(job.id, destination, on_progress=update)
    output.print_result(
        {
            "output": str(destination),
            "height": height,
            "width": width,
            "file_bytes": num_bytes,
        },
        as_json=json,
        title=f"rendered {destination}",
    )


def _picture_size(client: Client, scene: Scene, text: str | None) -> tuple[int, int]:
    """(height, width) in pixels, rounded down to multiples of the model's patch.

    Args:
        client: Connection to the server.
        scene: Gives the aspect ratio where one number is given, or the size itself.
        text: The option.

    Raises:
        ConfigError: If the scene is not built or the size is below one patch.
    """
    wanted = options.parse_size(text)
    if scene.height is None or scene.width is None:
        raise ConfigError(
            f"the scene {scene.name} ({scene.id}) is not built, it is {scene.state}",
            remedy=f"Build it with: nvs remote build {scene.id}",
        )
    patches = [m.patch_size for m in client.models() if m.id == scene.weights]
    patch_size = patches[0] if patches else 1
    sides = (scene.height, scene.width)
    scale = 1.0
    if isinstance(wanted, tuple):
        sides = wanted
    elif wanted is not None:
        scale = wanted / max(sides)
    height, width = (
        int(side * scale + 1e-6) // patch_size * patch_size for side in sides
    )
    if not height or not width:
        raise ConfigError(
            f"--size {text} is smaller than one patch of {patch_size} pixels",
            remedy="Ask for a larger size.",
        )
    return height, width


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
    inputs = client.inputs(scene_id)
    if not 0 <= index < len(inputs):
        raise ConfigError(
            f"--input is {index}", remedy=f"Choose from 0 to {len(inputs) - 1}."
        )
    chosen = inputs[index]
    return chosen.camera.scaled(
        height=height / chosen.height, width=width / chosen.width
    )


def _read(
    file: Path, height: int, width: int, dataparser: Path | None
) -> dict[str, Any]:
    """The cameras of a file as a camera path, at a size in pixels."""
    from nvs.cameras import read_camera_path
    from nvs.cameras.camera_path import camera_path_document

    read = read_camera_path(file, height, width, dataparser=dataparser)
    return camera_path_document(read)


def _trajectory(
    path: str,
    dataparser: Path | None,
    frames: int,
    elevation: float | None,
    zoom: float,
    **size: int,
) -> dict[str, Any]:
    from nvs.api.renders import FORMS

    if path in FORMS:
        trajectory: dict[str, Any] = {"kind": path, "num_frames": frames}
        if path in ("auto", "orbit"):
            trajectory |= {"elevation_degrees": elevation, "zoom": zoom}
        return trajectory
    if not Path(path).is_file():
        raise ConfigError(
            f"--path is {path!r}",
            remedy=f"Use {', '.join(FORMS)}, or the name of a JSON file that exists.",
        )
    return {"camera_path": _read(Path(path), dataparser=dataparser, **size)}
