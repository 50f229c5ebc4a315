"""How a trial tells its result: one table, then a verdict against its mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

WIDTH = 100
"""Of the output where it is no terminal."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial measured, and whether it met its mark."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    marks: Sequence[tuple[str, bool]]
    """What was asked for with what was found, and whether that is met."""

    @property
    def is_met(self) -> bool:
        return all(met for _, met in self.marks)

    def show(self) -> None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=WIDTH)
        table = Table(title=self.title, title_justify="left")
        for place, name in enumerate(self.head):
            table.add_column(name, justify="right" if place else "left")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)
        for text, met in self.marks:
            console.print(f"{'met   ' if met else 'MISSED'}  {text}", highlight=False)


def quantile(values: Sequence[float], share: float) -> float:
    """NaN without values."""
    return float(np.quantile(values, share)) if len(values) else float("nan")


def spread(values: Sequence[float]) -> list[str]:
    """p50, p95 and p99, as cells."""
    return [f"{quantile(values, share):.1f}" for share in (0.5, 0.95, 0.99)]
