"""Runs side by side, and differences on the scenes that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nvs.errors import ConfigError
from nvs_eval.metrics import COLUMNS
from nvs_eval.runs.records import Row, load_rows, load_run
from nvs_eval.statistics import Interval, bootstrap
from nvs_eval.summary import Setting, method_label, setting_key, setting_of


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
    for setting in sorted(by_method, key=setting_key):
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
                        metrics={c: _difference(pairs, c) for c in COLUMNS},
                    )
                )
    return result


def _difference(pairs: Sequence[tuple[Row, Row]], column: str) -> Interval | None:
    values = [(a[column], b[column]) for a, b in pairs]
    if any(None in pair for pair in values):
        return None
    return bootstrap([a - b for a, b in values])
