"""Peak memory of a piece of work."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")


@dataclass(slots=True)
class PeakMemory:
    """What `peak_memory` measured; None where the system cannot tell."""

    before_bytes: int | None = None
    """In use when the work began."""
    peak_bytes: int | None = None
    """The most in use during the work."""

    @property
    def added_bytes(self) -> int | None:
        """How much the work needed on top."""
        if self.peak_bytes is None or self.before_bytes is None:
            return None
        return self.peak_bytes - self.before_bytes


@contextmanager
def peak_memory(device: torch.device) -> Generator[PeakMemory]:
    """Measure allocated CUDA memory, or the process's resident memory on Linux."""
    result = PeakMemory()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        result.before_bytes = torch.cuda.memory_allocated(device)
        yield result
        result.peak_bytes = torch.cuda.max_memory_allocated(device)
        return
    try:
        RESET.write_text("5")
        result.before_bytes = _resident("VmRSS")
    except OSError:
        yield result
        return
    yield result
    result.peak_bytes = _resident("VmHWM")


def _resident(key: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {key}")
