"""Options that several data commands share, how values are read, what Ctrl-C says."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nvs.errors import ConfigError, InterruptedWorkError

if TYPE_CHECKING:
    from nvs.scene.frames import Frame

DatasetPath = Annotated[
    Path, typer.Argument(metavar="DATASET", help="A dataset: images with cameras.")
]
Folder = Annotated[Path, typer.Option("-o", "--output", help="Folder to write.")]
Format = Annotated[
    str | None, typer.Option(help="Dataset layout, instead of recognising it.")
]
Seed = Annotated[int, typer.Option(help="Seed of kmeans and random.")]


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise unless a value is one of those there are.

    Raises:
        ConfigError: Naming the option, the value and the choices.
    """
    if value not in choices:
        raise ConfigError(
            f"{option} is {value!r}", remedy=f"Use one of {', '.join(choices)}."
        )


def check_at_least(option: str, value: float | None, low: int) -> None:
    """Raise if a value is given and too small.

    Raises:
        ConfigError: Naming the option and the value.
    """
    if value is not None and not value >= low:
        raise ConfigError(f"{option} is {value}", remedy=f"Use at least {low}.")


def counted(frames: Sequence[Frame], update: Callable[[int, int], None]) -> list[Frame]:
    """Frames that report how many of them have been decoded."""
    done = 0

    def load(frame: Frame) -> Any:
        nonlocal done
        pixels = frame.load()
        done += 1
        update(done, len(frames))
        return pixels

    return [replace(frame, load=lambda f=frame: load(f)) for frame in frames]


@contextmanager
def resumable(kept: str) -> Generator[None]:
    """Say after Ctrl-C what is kept, and where.

    Raises:
        InterruptedWorkError: On Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise InterruptedWorkError(
            f"interrupted; {kept}", remedy="The same command goes on from there."
        ) from stop
