"""Work that Ctrl-C stops and the same command goes on with."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from nvs.errors import NvsError


class InterruptedWorkError(NvsError):
    """Ctrl-C, where what was done so far is kept."""

    exit_code = 130


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
