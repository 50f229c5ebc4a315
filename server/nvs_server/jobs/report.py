"""How far a running job is, kept for its heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from nvs.api.jobs import JobStage

SHARES: Mapping[JobStage, tuple[float, float]] = {
    "waiting": (0.0, 0.0),
    "reading images": (0.0, 0.3),
    "prefill": (0.3, 0.95),
    "rendering": (0.0, 0.95),
    "storing": (0.95, 1.0),
}
"""Which part of a job's progress each stage is."""


class Report:
    """Stage and progress of one job; it is the `Progress` of backend calls."""

    def __init__(self) -> None:
        self.stage: JobStage = "waiting"
        self.progress = 0.0
        self.stage_changed = asyncio.Event()

    def __call__(self, stage: JobStage, fraction: float) -> None:
        """Note how much of a stage is done, in [0, 1]; progress never goes back."""
        start, end = SHARES[stage]
        done = start + min(max(fraction, 0.0), 1.0) * (end - start)
        self.progress = max(self.progress, done)
        if stage != self.stage:
            self.stage = stage
            self.stage_changed.set()
