"""`nvs remote video`: a camera path through a scene of a server, as a video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from nvs.cli.remote import bars, options, sizes
from nvs.terminal import options as common
from nvs.terminal import output

GENERATED = ("orbit", "spiral", "walk")


def video(
    scene: options.SceneId,
    destination: common.Output,
    path: Annotated[
        str,
        typer.Option(
            help="orbit, spiral, walk (through the input cameras), or a JSON file: "
            "our camera path or one exported by the nerfstudio viewer."
        ),
    ] = "orbit",
    frames: Annotated[int, typer.Option(help="Frames of a generated path.")] = 60,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second of the video; those of the file, or 30."),
    ] = None,
    size: common.Size = None,
    elevation: Annotated[
        float | None, typer.Option(help="Elevation of an orbit in degrees.")
    ] = None,
    zoom: Annotated[float, typer.Option(help="Focal length factor of an orbit.")] = 1.0,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """Render a video and fetch it; Ctrl-C cancels it."""
    from nvs.errors import OutputError

    if destination.suffix != ".mp4":
        raise OutputError(f"cannot write {destination}", remedy="Name an .mp4 file.")
    trajectory = _trajectory(path, frames, elevation, zoom)
    with options.connect(server, key_file) as client:
        height, width = sizes.picture_size(client, client.scene(scene), size)
        job = client.render_video(
            scene,
            trajectory,
            height=height,
            width=width,
            fps=fps or _stated_fps(trajectory),
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


def _trajectory(
    path: str, frames: int, elevation: float | None, zoom: float
) -> dict[str, Any]:
    from json import loads

    from nvs.errors import ConfigError

    if path in GENERATED:
        trajectory: dict[str, Any] = {"kind": path, "num_frames": frames}
        if path == "orbit":
            trajectory |= {"elevation_degrees": elevation, "zoom": zoom}
        return trajectory
    try:
        return {"camera_path": loads(Path(path).read_text(encoding="utf-8"))}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"--path is {path!r} ({error})",
            remedy=f"Use {', '.join(GENERATED)}, or the name of a JSON file.",
        ) from error


def _stated_fps(trajectory: Mapping[str, Any]) -> float | None:
    path = trajectory.get("camera_path")
    fps = path.get("fps") if isinstance(path, dict) else None
    return fps if isinstance(fps, int | float) else None
