"""`nvs data`: make, check, convert and choose from datasets of posed images."""

from __future__ import annotations

import typer

from nvs_data.commands import (
    convert,
    download,
    frames,
    pose,
    render,
    select,
    textures,
    validate,
)

app = typer.Typer(
    help="Make, check and convert datasets of posed images.",
    no_args_is_help=True,
)
app.command("pose")(pose.pose)
app.command("frames")(frames.frames)
app.command("validate")(validate.validate)
app.command("convert")(convert.convert)
app.command("select")(select.select)
app.command("render")(render.render)
app.command("textures")(textures.textures)
app.command("download")(download.download)
