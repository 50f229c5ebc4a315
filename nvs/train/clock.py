"""How far a run is, and when it has to stop."""

from __future__ import annotations

import re
import time

from nvs.errors import ConfigError
from nvs.train.config import TrainConfig

RESERVE_SHARE = 0.02
"""Share of a time budget kept for the last evaluation, checkpoint and export."""


class Clock:
    """Time and progress of a session.

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
        self.longest_step_seconds = 0.0
        self.upkeep_seconds = 0.0

    def now(self) -> float:
        """Seconds trained, over all sessions."""
        return self.earlier_seconds + time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Progress at a step: of the steps, or else of the time as last agreed on."""
        if self.config.steps is not None:
            return step / self.config.steps
        return min(self.elapsed_seconds / self._horizon_seconds(), 1.0)

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
        """The time budget less what the end of the run will take."""
        assert self.config.time_budget_seconds is not None
        budget = self.config.time_budget_seconds
        reserve = max(
            RESERVE_SHARE * budget,
            1.5 * self.longest_step_seconds + self.upkeep_seconds,
        )
        return max(budget - reserve, 1e-3)


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
