"""What changes over a run, as functions of its step and progress, and their clock.

Notation:
    step        steps done before this one, 0 for the first
    progress    position in the run, 0 at its start and 1 at its end: step / steps, or
                elapsed / budget where only a time budget is given
"""

from __future__ import annotations

import math
import random
import re
import statistics
import time
from collections import deque

from nvs.errors import ConfigError
from nvs.train.config import Stage, TrainConfig

ROUNDING = 1e-9
"""Of sums of shares: a step within it of a stage's end belongs to the next stage."""
RESERVE_SHARE = 0.02
"""Least share of a time budget that is kept for the end of a session."""
NUM_SETTLING = 2
"""First steps of a session, slow where they compile, that say nothing of the next."""
NUM_RECENT = 9
"""Steps whose median is what the next one will take: one slow step changes nothing."""


def learning_rate_factor(config: TrainConfig, step: int, progress: float) -> float:
    """What the peak learning rates are multiplied by."""
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    progress = min(max(progress, 0.0), 1.0)
    if config.decay == "cosine":
        return warmup * (1 + math.cos(math.pi * progress)) / 2
    return warmup * min(1.0, (1 - progress) / config.decay_share)


def stage_at(config: TrainConfig, progress: float) -> tuple[int, float]:
    """Index of the stage at a progress, and the progress within that stage."""
    total = sum(stage.share for stage in config.stages)
    start = 0.0
    for index, stage in enumerate(config.stages):
        length = stage.share / total
        is_last = index + 1 == len(config.stages)
        if progress < start + length - ROUNDING or is_last:
            return index, min(max((progress - start) / length, 0.0), 1.0)
        start += length
    raise AssertionError("a configuration has at least one stage")


def view_counts(config: TrainConfig, step: int, stage: Stage) -> tuple[int, int]:
    """Numbers of input and target views of a step, the same on every device."""
    draw = random.Random(f"views {config.seed} {step}")
    return draw.choice(stage.view_counts)


def lpips_weight_at(config: TrainConfig, step: int, progress: float) -> float:
    """Weight of the perceptual loss at a step, 0 where it does not count."""
    index, _ = stage_at(config, progress)
    counts = config.stages[index].lpips and step >= config.lpips_from
    return config.lpips_weight if counts else 0.0


def baseline_at(stage: Stage, progress: float) -> float:
    """Share of a set's views to draw from, at a progress within the stage."""
    start, end = stage.baseline
    return start + (end - start) * progress


def ema_decay_at(config: TrainConfig, step: int) -> float:
    """Decay of the running mean, shorter in the first steps."""
    return min(config.ema_decay, (1 + step) / (10 + step))


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

    def seconds_left(self, step: int, step_seconds: float) -> float:
        """What the session will still take, its checkpoints and evaluations included.

        Args:
            step: Steps done.
            step_seconds: How long one takes.
        """
        left = math.inf
        if self.config.steps is not None:
            steps = self.config.steps - step
            every = min(self.config.heldout_every, self.config.checkpoint_every)
            upkeep = (1 + steps // every) * self.upkeep_seconds
            left = steps * step_seconds + upkeep
        if self.config.time_budget_seconds is not None:
            earlier = 0.0 if self.config.steps is None else self.earlier_seconds
            until = self.config.time_budget_seconds + earlier
            left = min(left, until - self.now())
        return max(left, 0.0)

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
    number = r"(\d+\.?\d*|\.\d+)"
    match = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s?)?", text.strip())
    parts = [float(part or 0) for part in match.groups()] if match else [0.0] * 3
    seconds = 3600 * parts[0] + 60 * parts[1] + parts[2]
    if seconds <= 0:
        raise ConfigError(
            f"{text!r} is no duration", remedy="Write it like 90m, 1h30m or 45s."
        )
    return seconds


def duration(seconds: float) -> str:
    """Such as 2h05m, 45m, 3m20s or 8s: to a minute above ten of them."""
    seconds = round(seconds) if seconds < 600 else 60 * round(seconds / 60)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours}h{minutes:02d}m"
    if minutes:
        return f"{minutes}m{seconds:02d}s" if seconds else f"{minutes}m"
    return f"{seconds}s"
