"""`nvs remote download`: a scene file from a server."""

from __future__ import annotations

from nvs.cli.remote import bars, options
from nvs.terminal import options as common
from nvs.terminal import output


def download(
    scene: options.SceneId,
    destination: common.Output,
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """Fetch a scene file, as `nvs render` and `nvs info` read it."""
    from nvs.errors import OutputError

    if destination.is_dir():
        raise OutputError(
            f"{destination} is a folder", remedy="Name a file, such as chair.scene."
        )
    with (
        options.connect(server, key_file) as client,
        bars.transfer(destination.name) as update,
    ):
        num_bytes = client.download_scene(scene, destination, on_progress=update)
    output.print_result(
        {"scene": scene, "output": str(destination), "file_bytes": num_bytes},
        as_json=json,
        title=f"downloaded {destination}",
    )
