"""Errors name files as the user knows them, not by where the server keeps them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from nvs.errors import NvsError


@contextmanager
def shown_as(path: Path, name: str) -> Generator[None]:
    """Errors of the block call a file, or a folder and what is in it, otherwise.

    Args:
        path: Where the server keeps it.
        name: What to call it; files of a folder go by their relative path.
    """
    try:
        yield
    except NvsError as error:
        if isinstance(error.subject, Path):
            error.subject = _within(error.subject.resolve(), path.resolve()) or name
        raise


@contextmanager
def about(name: str) -> Generator[None]:
    """Errors of the block concern one file of several, whatever they call it."""
    try:
        yield
    except NvsError as error:
        error.subject = name
        raise


def _within(file: Path, folder: Path) -> str | None:
    """The relative path of a file in a folder; None of the folder and all outside."""
    if file == folder or not file.is_relative_to(folder):
        return None
    return file.relative_to(folder).as_posix()
