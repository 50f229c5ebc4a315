"""The `nvs` command: one module a command, and the commands that the parts bring.

Each imports what its command needs only when it runs: `nvs --help` is instant.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from nvs import __version__
from nvs.cli import bench, build, demo, info, render, train, weights
from nvs.cli.parts import add_commands
from nvs.cli.remote import app as remote_app
from nvs.errors import NvsError
from nvs.terminal import output

INTERRUPTED = 130
"""Exit code that typer gives Ctrl-C."""

app = typer.Typer(
    help="Novel view synthesis: photographs in, a scene file out, any camera rendered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nvs {__version__}")
        raise typer.Exit


@app.callback()
def _nvs(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show it and end."
        ),
    ] = False,
) -> None:
    pass


app.command()(demo.demo)
app.command()(build.build)
app.command()(render.render)
app.command()(info.info)
app.command()(train.train)
app.add_typer(bench.app, name="bench")
app.add_typer(weights.app, name="weights")
app.add_typer(remote_app, name="remote")
add_commands(app)


def main() -> None:
    """Run the command line; what a user can cause ends in one line and exit code 2."""
    try:
        with output.said_once("nvs.data"):
            app()
    except NvsError as error:
        sys.stderr.write(f"nvs: {error}\n")
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            sys.stderr.write("nvs: interrupted; nothing half-written was left\n")
        raise
