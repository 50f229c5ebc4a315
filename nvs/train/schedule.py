"""What changes over a run, as functions of the step and of its progress.

Notation:
    step        steps done before this one, 0 for the first
    progress    position in the run, 0 at its start and 1 at its end: step / steps, or
                elapsed / budget where only a time budget is given
"""

from __future__ import annotations

import math
import random

from nvs.train.config import Stage, TrainConfig

ROUNDING = 1e-9
"""Of sums of shares: a step within it of a stage's end belongs to the next stage."""


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
