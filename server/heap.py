"""The C library's heap."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8
"""Of glibc's `mallopt`."""


def share_one_heap() -> None:
    """Have all threads of this process use one heap, where the C library is glibc.

    With a heap for each thread, every one of a dozen threads keeps its own high water
    mark, and memory creeps up for hours. Python's own lock leaves them little to gain.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
