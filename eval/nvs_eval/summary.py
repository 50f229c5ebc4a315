"""Rows of many scenes to one line a method, size and number of views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nvs_eval.metrics import COLUMNS
from nvs_eval.runs.records import Row
from nvs_eval.statistics import Interval, bootstrap


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What is comparable: the same protocol, size and number of views."""

    protocol: str
    """`gso`, `dl3dv`, or what a folder's evaluation was told."""
    height: int
    """Of the images, in pixels."""
    width: int
    """Of the images, in pixels."""
    num_views: int
    """Number of input views; 0 if it is not known."""


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
            metrics={column: _interval(rows, column) for column in COLUMNS},
        )
        for (label, setting, method, normalised_by), rows in groups.items()
    ]
    return sorted(lines, key=lambda line: setting_key(line.setting))


def setting_of(row: Row) -> Setting:
    """Where a row was measured."""
    return Setting(
        protocol=row["protocol"],
        height=row["height"],
        width=row["width"],
        num_views=row["num_views"],
    )


def setting_key(setting: Setting) -> tuple[str, int, int, int]:
    """The order of settings in tables."""
    return (setting.protocol, setting.height, setting.width, setting.num_views)


def _interval(rows: Sequence[Row], column: str) -> Interval | None:
    values = [row[column] for row in rows]
    return None if None in values else bootstrap(values)
