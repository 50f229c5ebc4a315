"""`nvs remote upload`: a dataset or a scene file to a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.cli.remote import bars, options
from nvs.terminal import options as common
from nvs.terminal import output

if TYPE_CHECKING:
    from nvs.client import CamerasReport, Client


def upload(
    path: Annotated[
        Path,
        typer.Argument(help="A dataset folder, camera file, .zip, or a .scene file."),
    ],
    scene: Annotated[
        str | None,
        typer.Option(help="Go on with this scene, sending only what it lacks."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the new scene; that of the folder.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Tag of the new scene; may be repeated.")
    ] = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """Upload images with cameras, or a scene file that was built elsewhere."""
    from nvs.errors import ConfigError, DatasetError

    if not path.exists():
        raise DatasetError(f"there is nothing at {path}", remedy="Check the path.")
    if scene is not None and (name is not None or tag):
        raise ConfigError(
            "--scene goes with neither --name nor --tag",
            remedy="They are for a new scene; leave them out.",
        )
    with options.connect(server, key_file) as client:
        if scene is None:
            title = name or path.resolve().stem
            scene = client.create_scene(title, tags=tag or ()).id
        try:
            report = _send(client, scene, path)
        except KeyboardInterrupt:
            output.say(f"nvs: go on with: nvs remote upload {path} --scene {scene}")
            raise
        result = client.scene(scene)
    values = {"scene": scene, "name": result.name, "state": result.state}
    if report is not None:
        values |= {
            "layout": report.layout,
            "images": result.num_images,
            "frames": report.num_frames,
            "missing": report.num_missing,
        }
        if report.missing:
            output.say(f"nvs: missing images: {', '.join(report.missing[:3])} …")
    output.print_result(values, as_json=json, title=f"uploaded {path}")


def _send(client: Client, scene_id: str, path: Path) -> CamerasReport | None:
    if path.suffix == ".scene":
        with bars.transfer(path.name) as update:
            client.upload_scene_file(scene_id, path, on_progress=update)
        return None
    if path.suffix == ".zip":
        with bars.transfer(path.name) as update:
            return client.upload_zip(scene_id, path, on_progress=update)
    with bars.files() as watch:
        return client.upload_dataset(scene_id, path, on_progress=watch)
