"""`nvs data`: make, check, convert and choose from datasets; `nvs quickstart`."""

from __future__ import annotations

import typer

from nvs_data.commands import capture, datasets, masks, sources
from nvs_data.commands.chain import quickstart

app = typer.Typer(
    help="Make, check and convert datasets of posed images.",
    no_args_is_help=True,
)
app.command("pose")(capture.pose)
app.command("frames")(capture.frames)
app.command("mask")(masks.mask)
app.command("validate")(datasets.validate)
app.command("convert")(datasets.convert)
app.command("select")(datasets.select)
app.command("render")(sources.render)
app.command("textures")(sources.textures)
app.command("download")(sources.download)
