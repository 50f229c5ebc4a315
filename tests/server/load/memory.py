"""Memory of a running service's processes over time, and how it grows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

MIB = 2**20
KINDS = ("uss", "pss", "rss")


@dataclass(slots=True)
class Growth:
    """A line through samples."""

    first_mib: float
    last_mib: float
    mib_per_minute: float

    @property
    def percent(self) -> float:
        """From the line's start to its end."""
        return 100 * (self.last_mib / self.first_mib - 1)


@dataclass(slots=True)
class Memory:
    """Samples of each process.

    What is a process's own (USS) says whether it grows: its share of what it has in
    common with others (in PSS) changes as these come and go, and with them all the
    other processes of the machine.

    Args:
        processes: By what they are.
    """

    processes: dict[str, psutil.Process]
    seconds: list[float] = field(default_factory=list[float])
    mib: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    """By kind of memory and process."""

    def sample(self) -> None:
        """Take one.

        Raises:
            psutil.NoSuchProcess: If a process has died.
        """
        self.seconds.append(time.monotonic())
        for role, process in self.processes.items():
            info = process.memory_full_info()
            for kind, of_role in self.mib.items():
                of_role.setdefault(role, []).append(getattr(info, kind) / MIB)

    def growth(self, values: Sequence[float], since: int) -> Growth:
        """Fitted to the samples from number `since` on.

        By medians (Theil and Sen): a process that is just starting another shares all
        its memory with it for a moment, and a sample of then must not count.
        """
        minutes = np.array(self.seconds[since:]) / 60
        mib = np.array(values[since:])
        first, second = np.triu_indices(len(mib), 1)
        slopes = (mib[second] - mib[first]) / (minutes[second] - minutes[first])
        slope = float(np.median(slopes))
        middle = float(np.median(mib - slope * minutes))
        start, end = (middle + slope * float(minutes[place]) for place in (0, -1))
        return Growth(start, end, slope)
