"""The C library's heap: what a process that computes wants of it."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Of glibc's `mallopt`."""
NEVER = 2**31 - 1
LARGEST_THRESHOLD = 2**25
"""In bytes; glibc refuses more."""
TOP_PAD = 2**26


def keep_freed_memory() -> None:
    """Have this process keep freed memory for what it allocates next, on glibc.

    Without it, large tensors are mapped and unmapped by every operation, and each page
    of them is cleared by the kernel again. Peak memory hardly changes.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, NEVER)
        mallopt(M_TOP_PAD, TOP_PAD)
