"""What a process that computes wants of OpenMP and of the C library."""

from __future__ import annotations

import ctypes
import os
from collections.abc import MutableMapping
from contextlib import suppress

WAIT_POLICY = "OMP_WAIT_POLICY"
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Of glibc's `mallopt`."""
NEVER = 2**31 - 1
LARGEST_THRESHOLD = 2**25
"""In bytes; glibc refuses more."""
TOP_PAD = 2**26


def let_threads_sleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have OpenMP's threads sleep while they wait, unless the environment says how.

    Threads that spin wait for one whose core somebody else took, and take cores from
    it: a busy neighbour then costs several times its share. OpenMP reads this once,
    when torch is loaded.

    Args:
        environment: Of this process, or of one to be started.
    """
    environment.setdefault(WAIT_POLICY, "passive")


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
