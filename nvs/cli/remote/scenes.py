"""`nvs remote scenes` and `nvs remote delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from nvs.cli.remote import options
from nvs.terminal import options as common
from nvs.terminal import output


def scenes(
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only empty, uploading, building, ready or failed ones."),
    ] = None,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """List one's scenes, newest first."""
    import sys
    from json import dumps

    from rich.console import Console
    from rich.table import Table

    with options.connect(server, key_file) as client:
        found = list(client.scenes(tag=tag, state=state))
    if json:
        rows = [
            {
                "id": scene.id,
                "name": scene.name,
                "tags": scene.tags,
                "state": scene.state,
                "created_at": scene.created_at.isoformat(),
                "images": scene.num_images,
                "weights": scene.weights,
                "height": scene.height,
                "width": scene.width,
                "problem": scene.error.problem if scene.error else None,
            }
            for scene in found
        ]
        sys.stdout.write(dumps(rows) + "\n")
        return
    table = Table()
    for column in ("id", "name", "state", "images", "size", "created"):
        table.add_column(column, no_wrap=column in ("id", "state"))
    for scene in found:
        table.add_row(
            scene.id,
            scene.name,
            scene.state,
            str(scene.num_images),
            f"{scene.height}×{scene.width}" if scene.height else "",
            f"{scene.created_at.astimezone():%Y-%m-%d}",
        )
    Console().print(table)


def delete(
    scene: options.SceneId,
    server: options.Server = None,
    key_file: options.KeyFile = None,
) -> None:
    """Delete a scene of the server, with its files and jobs."""
    with options.connect(server, key_file) as client:
        client.delete_scene(scene)
    output.say(f"nvs: deleted {scene}")
