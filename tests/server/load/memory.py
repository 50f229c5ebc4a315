"""Memory of a running service's processes over time, and how it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

MIB = 2**20


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

    Args:
        processes: By what they are.
    """

    processes: dict[str, psutil.Process]
    seconds: list[float] = field(default_factory=list[float])
    pss_mib: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    rss_mib: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    clock: Callable[[], float] = time.monotonic

    def sample(self) -> None:
        """Take one.

        Raises:
            psutil.NoSuchProcess: If a process has died.
        """
        self.seconds.append(self.clock())
        for role, process in self.processes.items():
            info = process.memory_full_info()
            self.pss_mib.setdefault(role, []).append(info.pss / MIB)
            self.rss_mib.setdefault(role, []).append(info.rss / MIB)

    def total_mib(self) -> list[float]:
        """PSS of all processes, sample by sample."""
        return [sum(values) for values in zip(*self.pss_mib.values(), strict=True)]

    def growth(self, values: Sequence[float], since: int) -> Growth:
        """Fitted to the samples from number `since` on."""
        minutes = np.array(self.seconds[since:]) / 60
        slope, offset = np.polyfit(minutes - minutes[0], values[since:], 1)
        return Growth(offset, offset + slope * (minutes[-1] - minutes[0]), slope)
