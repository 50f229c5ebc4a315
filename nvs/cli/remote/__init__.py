"""`nvs remote`: build and render on a machine that runs `nvs serve`."""

from __future__ import annotations

import typer

from nvs.cli.remote import captures, render, scenes, service

app = typer.Typer(
    help="Build and render on a machine that runs `nvs serve`.",
    no_args_is_help=True,
)
app.command()(service.login)
app.command()(service.status)
app.command()(scenes.scenes)
app.command()(captures.upload)
app.command()(captures.pose)
app.command()(captures.mask)
app.command()(scenes.build)
app.command()(render.render)
app.command()(render.video)
app.command()(scenes.download)
app.command()(scenes.delete)
