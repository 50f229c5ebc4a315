"""`nvs remote`: build and render on a machine that runs `nvs serve`."""

from __future__ import annotations

import typer

from nvs.cli.remote import (
    build,
    download,
    login,
    render,
    scenes,
    status,
    upload,
    video,
)

app = typer.Typer(
    help="Build and render on a machine that runs `nvs serve`.",
    no_args_is_help=True,
)
app.command("login")(login.login)
app.command("status")(status.status)
app.command("scenes")(scenes.scenes)
app.command("upload")(upload.upload)
app.command("build")(build.build)
app.command("render")(render.render)
app.command("video")(video.video)
app.command("download")(download.download)
app.command("delete")(scenes.delete)
