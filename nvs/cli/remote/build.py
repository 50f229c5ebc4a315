"""`nvs remote build`: uploaded images to a scene, on a server."""

from __future__ import annotations

from typing import Annotated

import typer

from nvs.cli.remote import bars, options
from nvs.terminal import options as common
from nvs.terminal import output


def build(
    scene: options.SceneId,
    weights: Annotated[
        str | None,
        typer.Option(help="A model of the server (`nvs remote status`)."),
    ] = None,
    size: common.Size = None,
    views: Annotated[
        str | None, typer.Option(help="Frames to use, such as 0,4,8-11; all.")
    ] = None,
    framing: Annotated[
        str,
        typer.Option(
            help="How poses are normalised: auto (as the weights expect), none, "
            "mean_camera, or object (a capture of an object at any scale)."
        ),
    ] = "auto",
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """Build a scene from its uploaded images; Ctrl-C cancels the build."""
    wanted = common.parse_size(size)
    chosen = common.parse_indices(views, "--views")
    with options.connect(server, key_file) as client:
        job = client.build(
            scene,
            weights=weights,
            size=wanted,
            views=chosen,
            framing=framing,
            wait=False,
        )
        bars.waited(client, job)
        built = client.scene(scene)
    output.print_result(
        {
            "scene": scene,
            "state": built.state,
            "weights": built.weights,
            "views": built.num_views,
            "height": built.height,
            "width": built.width,
            "file_bytes": built.scene_bytes,
        },
        as_json=json,
        title=f"built {built.name}",
    )
