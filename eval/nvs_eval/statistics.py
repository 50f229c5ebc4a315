"""Means over scenes, and how sure of them one can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nvs.scene.quality import psnr_db

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean with its confidence interval."""

    mean: float
    """Mean over scenes."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""


def bootstrap(values: Sequence[float], *, seed: int = 0) -> Interval:
    """Mean over scenes with its 95 % percentile bootstrap interval.

    Scenes are drawn with replacement, 2000 times (Efron, Bootstrap methods, 1979). One
    scene gives an interval of no width: nothing is known about the others.
    """
    array = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(seed).integers(
        len(array), size=(RESAMPLES, len(array))
    )
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(array[draws].mean(axis=1), [tail, 1 - tail])
    return Interval(mean=float(array.mean()), low=float(low), high=float(high))


def pooled_psnr_db(mses: Sequence[float]) -> float:
    """PSNR of the mean squared error over all target images of a scene.

    The published script prints this. It is at most the mean of the images' PSNRs,
    since the logarithm is concave, and the worst images decide it.
    """
    return psnr_db(float(np.mean(np.asarray(mses, dtype=np.float64))))
