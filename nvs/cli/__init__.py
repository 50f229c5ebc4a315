"""The `nvs` command: one module a command, and the commands that the parts bring.

Each imports what its command needs only when it runs: `nvs --help` is instant. The
parts bring theirs as entry points of the group `nvs.commands`: a function, which is the
command of the entry point's name, or a `typer.Typer` with commands of its own. All are
loaded whenever `nvs` starts: their modules import typer and `nvs.terminal` at the top,
and their part where a command runs.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Annotated

import typer

from nvs import __version__
from nvs.cli import bench, build, demo, info, render, train, weights
from nvs.cli.remote import app as remote_app
from nvs.errors import MissingExtraError, NvsError, RankError, StoppedError
from nvs.parallel.devices import num_ranks, rank_name
from nvs.parallel.launch import end_process
from nvs.process import let_threads_sleep
from nvs.terminal import output

INTERRUPTED = 130
"""Exit code that typer gives Ctrl-C."""
GROUP = "nvs.commands"
ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    help="Novel view synthesis: photographs in, a scene file out, any camera rendered.",
    no_args_is_help=True,
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


def add_commands(app: typer.Typer) -> None:
    """Add the commands of every part, by name.

    A part that is declared but absent is a command that says so. The parts are called
    `nvs_` and the extra that installs what they need.
    """
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        package = point.module.partition(".")[0]
        try:
            command = point.load()
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            app.command(point.name, context_settings=ANY_ARGUMENTS)(_absent(package))
            continue
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=point.name)
        else:
            app.command(point.name)(command)


def _absent(package: str) -> Callable[[], None]:
    def command() -> None:
        raise MissingExtraError(package, package.removeprefix("nvs_"))

    command.__doc__ = f"Not installed: the package {package!r} is missing."
    return command


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
    """Run the command line; what a user can cause ends in one line and exit code 2.

    One of several ranks ends at once: see `end_process`. If another failed first,
    that one has said why.
    """
    let_threads_sleep()
    try:
        with output.said_once("nvs.data"):
            app()
    except NvsError as error:
        if not isinstance(error, StoppedError):
            who = "" if isinstance(error, RankError) else rank_name()
            sys.stderr.write(f"nvs: {who}{error}\n")
        end_process(error.exit_code)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == INTERRUPTED and num_ranks() == 1:
            sys.stderr.write("nvs: interrupted; nothing half-written was left\n")
        end_process(stop.code if isinstance(stop.code, int) else int(bool(stop.code)))
        raise
    except BaseException:
        if num_ranks() > 1:
            traceback.print_exc()
            end_process(1)
        raise
