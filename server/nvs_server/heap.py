"""The memory of a process: the C library's heap, and Python's collector."""

from __future__ import annotations

import ctypes
import gc
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


def set_aside() -> None:
    """Have the collector leave alone for ever what is there now.

    Looking through a loaded application takes it 60 ms and more, in which nothing else
    is done. The last pass, over nothing, has it forget how much that was: it waits with
    the next one until a quarter as much has come again.
    """
    gc.collect()
    gc.freeze()
    gc.collect()
