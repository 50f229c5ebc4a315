"""How far a run is, and when it has to stop."""

from __future__ import annotations

import re
import statistics
import time
from collections import deque

from nvs.errors import ConfigError
from nvs.train.config import TrainConfig

RESERVE_SHARE = 0.02
"""Least share of a time budget that is kept for the end of a session."""
NUM_SETTLING = 2
"""First steps of a session, slow where they compile, that say nothing of the next."""
NUM_RECENT = 9
"""Steps whose median is what the next one will take: one slow step changes nothing."""


class Clock:
    """Time and progress of a session.

    Processes must agree on the time, so what `read` gives on the first of them is
    `set` on all.

    Args:
        config: The run.
        elapsed_seconds: Time trained in earlier sessions.
        started: `time.monotonic()` at the start of this session.
    """

    def __init__(
        self, config: TrainConfig, *, elapsed_seconds: float, started: float
    ) -> None:
        self.config = config
        self.earlier_seconds = elapsed_seconds
        self.started = started
        self.elapsed_seconds = elapsed_seconds
        self.reserve_seconds = 0.0
        self.num_timed = 0
        self.recent_seconds: deque[float] = deque(maxlen=NUM_RECENT)
        self.upkeep_seconds = 0.0
        self.timed_progress = 0.0

    def took_step(self, seconds: float) -> None:
        """Learn how long a step may take."""
        self.num_timed += 1
        if self.num_timed > NUM_SETTLING:
            self.recent_seconds.append(seconds)

    def took_upkeep(self, seconds: float) -> None:
        """Learn how long a checkpoint and an evaluation may take."""
        self.upkeep_seconds = max(seconds, self.upkeep_seconds)

    def now(self) -> float:
        """Seconds trained, over all sessions."""
        return self.earlier_seconds + time.monotonic() - self.started

    def read(self) -> tuple[float, float]:
        """Seconds trained, and seconds that the next step and the end will take."""
        recent = self.recent_seconds
        step_seconds = statistics.median_low(recent) if recent else 0.0
        return self.now(), 2 * step_seconds + self.upkeep_seconds

    def set(self, elapsed_seconds: float, reserve_seconds: float) -> None:
        """Take over what `read` gave."""
        self.elapsed_seconds = elapsed_seconds
        self.reserve_seconds = reserve_seconds
        if self.config.steps is None:
            share = min(elapsed_seconds / self._horizon_seconds(), 1.0)
            self.timed_progress = max(share, self.timed_progress)

    def progress(self, step: int) -> float:
        """Progress at a step: of the steps, or else of the time."""
        if self.config.steps is not None:
            return step / self.config.steps
        return self.timed_progress

    def is_over(self, step: int) -> bool:
        """Whether the run is done or its time is up."""
        if self.config.steps is not None and step >= self.config.steps:
            return True
        if self.config.time_budget_seconds is None:
            return False
        elapsed = self.elapsed_seconds
        if self.config.steps is not None:
            elapsed -= self.earlier_seconds
        return elapsed >= self._horizon_seconds()

    def _horizon_seconds(self) -> float:
        """The time budget less what is kept for the end."""
        budget = self.config.time_budget_seconds
        assert budget is not None, "a run has steps or a time budget"
        return max(budget - max(RESERVE_SHARE * budget, self.reserve_seconds), 1e-3)


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `90m`, `1h30m`, `45s` or `600`.

    Raises:
        ConfigError: If it is none, or zero.
    """
    match = re.fullmatch(
        r"(?:(?P<h>[\d.]+)h)?(?:(?P<m>[\d.]+)m)?(?:(?P<s>[\d.]+)s?)?", text.strip()
    )
    seconds = 0.0
    if match:
        try:
            parts = {
                unit: float(value or 0) for unit, value in match.groupdict().items()
            }
            seconds = parts["h"] * 3600 + parts["m"] * 60 + parts["s"]
        except ValueError:
            seconds = 0.0
    if seconds <= 0:
        raise ConfigError(
            f"{text!r} is no duration", remedy="Write it like 90m, 1h30m or 45s."
        )
    return seconds
