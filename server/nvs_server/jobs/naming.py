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
        for inner, outer in ((f"{path}/", ""), (str(path), name)):
            error.problem = error.problem.replace(inner, outer)
            error.remedy = error.remedy.replace(inner, outer)
        error.args = (f"{error.problem.rstrip('.')}. {error.remedy}",)
        raise


@contextmanager
def about(name: str) -> Generator[None]:
    """Errors of the block, which concern one file of several, begin with its name."""
    try:
        yield
    except NvsError as error:
        error.problem = f"{name}: {error.problem}"
        error.args = (f"{error.problem.rstrip('.')}. {error.remedy}",)
        raise
