"""Commands that the parts bring, found as entry points of the group `nvs.commands`.

An entry point names a function, which becomes the command of its name, or a
`typer.Typer` with commands of its own. All are loaded whenever `nvs` starts: their
modules import typer and `nvs.terminal` at the top, and their part where a command runs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import typer

from nvs.errors import MissingExtraError

GROUP = "nvs.commands"
ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}


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
