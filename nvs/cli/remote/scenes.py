"""`nvs remote scenes | build | download | delete`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nvs.cli.remote import bars, connection
from nvs.errors import OutputError
from nvs.terminal import options, output

STATES = {"empty": "no images yet", "uploading": "not built"}
"""States of scenes as people call them, where that is another word."""


def scenes(
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="Only empty, uploading, building, ready or failed ones."),
    ] = None,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """List one's scenes, newest first."""
    import sys
    from json import dumps

    from rich.console import Console
    from rich.table import Table

    with connection.connect(server, key_file) as client:
        found = list(client.scenes(tag=tag, state=state))
    if json:
        rows = [
            {
                "id": scene.id,
                "name": scene.name,
                "tags": scene.tags,
                "state": STATES.get(scene.state, scene.state),
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
            STATES.get(scene.state, scene.state),
            str(scene.num_images),
            f"{scene.height}×{scene.width}" if scene.height else "",
            f"{scene.created_at.astimezone():%Y-%m-%d}",
        )
    Console().print(table)


def build(
    scene: connection.SceneId,
    weights: Annotated[
        str | None,
        typer.Option(help="A model of the server (`nvs remote status`)."),
    ] = None,
    size: options.Size = None,
    views: options.Views = None,
    framing: options.Framing = "auto",
    up: options.Up = None,
    convention: options.Convention = "opencv",
    holdout: options.Holdout = None,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Build a scene from its uploaded images; Ctrl-C cancels the build."""
    from nvs.cli.build import (
        held_out_values,
        say_concerns,
        say_framing,
        say_held_out,
    )

    wanted: dict[str, Any] = {
        "weights": weights,
        "size": options.parse_size(size),
        "views": options.parse_indices(views, "--views"),
        "framing": framing,
        "up": options.parse_up(up),
        "convention": convention,
        "holdout": holdout,
    }
    with connection.connect(server, key_file) as client:
        expected = client.expectation(scene, **wanted)
        if expected.framing is None:
            say_concerns(expected.concerns[1:])  # the refusal says the first
        else:
            say_framing(expected)
        job = client.build(scene, **wanted, wait=False)
        bars.waited(client, job)
        built = client.scene(scene)
    held_out = built.held_out
    if held_out is not None:
        say_held_out(held_out)
    output.print_result(
        {
            "scene": scene,
            "state": built.state,
            "weights": built.weights,
            "views": built.num_views,
            "height": built.height,
            "width": built.width,
            "framing": expected.framing,
            "expect": expected.verdict,
            "file_bytes": built.scene_bytes,
            **({} if held_out is None else held_out_values(held_out)),
        },
        as_json=json,
        title=f"built {built.name}",
    )


def download(
    scene: connection.SceneId,
    destination: options.Output,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Fetch a scene file, as `nvs render` and `nvs info` read it."""
    if destination.is_dir():
        raise OutputError(
            f"{destination} is a folder", remedy="Name a file, such as chair.scene."
        )
    with (
        connection.connect(server, key_file) as client,
        bars.transfer(destination.name) as update,
    ):
        num_bytes = client.download_scene(scene, destination, on_progress=update)
    output.print_result(
        {"scene": scene, "output": str(destination), "file_bytes": num_bytes},
        as_json=json,
        title=f"downloaded {destination}",
    )


def delete(
    scene: connection.SceneId,
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
) -> None:
    """Delete a scene of the server, with its files and jobs."""
    with connection.connect(server, key_file) as client:
        client.delete_scene(scene)
    output.say(f"nvs: deleted {scene}")
