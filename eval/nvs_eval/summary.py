"""Rows of many scenes to means, intervals and differences, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nvs.errors import ConfigError
from nvs_eval.metrics import COLUMNS
from nvs_eval.runs.records import Row, load_rows, load_run

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


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Setting:
    """What is comparable: the same protocol, size and number of views; ordered so."""

    protocol: str
    """`gso`, `dl3dv`, or what a folder's evaluation was told."""
    height: int
    """Of the images, in pixels."""
    width: int
    """Of the images, in pixels."""
    num_views: int
    """Number of input views; 0 if it is not known."""

    @property
    def table(self) -> tuple[str, int, int]:
        """What stands in one table and chart: protocol and size."""
        return (self.protocol, self.height, self.width)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A method in a setting, over all scenes."""

    setting: Setting
    """Where it was measured."""
    run: str
    """Label of the run."""
    method: str
    """What was measured."""
    normalised_by: str
    """What its poses were normalised by."""
    num_scenes: int
    """How many scenes the means are over."""
    num_images: int
    """How many target images."""
    metrics: Mapping[str, Interval | None]
    """By column of `COLUMNS`; None where a scene has no value."""

    @property
    def label(self) -> str:
        """What tables and charts call the method."""
        return method_label(self.run, self.method)


def method_label(run: str, method: str) -> str:
    """A method's name, with its run's if that has one."""
    return f"{method} ({run})" if run else method


def summarise_rows(runs: Mapping[str, Sequence[Row]]) -> list[Line]:
    """Lines of some runs by label, ordered by setting, then as they come."""
    groups: dict[tuple[str, Setting, str, str], list[Row]] = {}
    for label, rows in runs.items():
        for row in rows:
            key = (label, setting_of(row), row["method"], row["normalised_by"])
            groups.setdefault(key, []).append(row)
    lines = [
        Line(
            setting=setting,
            run=label,
            method=method,
            normalised_by=normalised_by,
            num_scenes=len(rows),
            num_images=sum(row["num_images"] for row in rows),
            metrics={c: _interval([row[c] for row in rows]) for c in COLUMNS},
        )
        for (label, setting, method, normalised_by), rows in groups.items()
    ]
    return sorted(lines, key=lambda line: line.setting)


def setting_of(row: Row) -> Setting:
    """Where a row was measured."""
    return Setting(
        protocol=row["protocol"],
        height=row["height"],
        width=row["width"],
        num_views=row["num_views"],
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One method minus another, over the scenes that both have."""

    setting: Setting
    """Where both were measured."""
    method: str
    """The method."""
    baseline: str
    """What it is compared with."""
    num_scenes: int
    """Scenes that both have."""
    metrics: Mapping[str, Interval | None]
    """Mean of the differences by column, with its interval."""


def load_runs(folders: Sequence[Path]) -> dict[str, list[Row]]:
    """Rows of some runs by label: nothing for one run, else the folders' names.

    Raises:
        DatasetError: If a folder is not a run's.
        ConfigError: If two folders have the same name.
    """
    runs: dict[str, list[Row]] = {}
    for folder in folders:
        load_run(folder)
        label = folder.resolve().name if len(folders) > 1 else ""
        if label in runs:
            raise ConfigError(
                f"two folders are called {label}", remedy="Rename one of them."
            )
        runs[label] = load_rows(folder)
    return runs


def differences(runs: Mapping[str, Sequence[Row]]) -> list[Difference]:
    """Every method minus the first of its setting, scene by scene.

    The interval is over scenes of the differences, so that what is hard for both
    cancels; it is much narrower than those of the two means.
    """
    by_method: dict[Setting, dict[str, dict[str, Row]]] = {}
    for label, rows in runs.items():
        for row in rows:
            methods = by_method.setdefault(setting_of(row), {})
            name = method_label(label, row["method"])
            methods.setdefault(name, {})[row["scene"]] = row
    result: list[Difference] = []
    for setting in sorted(by_method):
        (baseline, reference), *others = by_method[setting].items()
        for method, rows in others:
            common = [scene for scene in rows if scene in reference]
            if common:
                pairs = [(rows[scene], reference[scene]) for scene in common]
                result.append(
                    Difference(
                        setting=setting,
                        method=method,
                        baseline=baseline,
                        num_scenes=len(common),
                        metrics={
                            c: _interval([_minus(a[c], b[c]) for a, b in pairs])
                            for c in COLUMNS
                        },
                    )
                )
    return result


def _interval(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    return bootstrap(known) if len(known) == len(values) else None


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b
