"""What commands print: progress for people, JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

Item = TypeVar("Item")


def print_result(values: Mapping[str, Any], *, as_json: bool, title: str) -> None:
    """One JSON object on standard output, or a table of its values."""
    if as_json:
        sys.stdout.write(json.dumps(values) + "\n")
        return
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for key, value in values.items():
        table.add_row(key.replace("_", " "), _shown(value))
    Console().print(table)


def say(line: str) -> None:
    """One line to people, beside the result."""
    sys.stderr.write(line + "\n")


def say_nvs(line: str) -> None:
    """A line of this program to people."""
    say(f"nvs: {line}")


@contextmanager
def said_once(logger_name: str) -> Generator[None]:
    """Let every message of a logger through once in the block, not again and again."""
    said: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        new = message not in said
        said.add(message)
        return new

    logger = logging.getLogger(logger_name)
    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


@contextmanager
def progress(
    description: str, *, total: int | None = None, unit: str = "it"
) -> Generator[Callable[[int, int | None], None]]:
    """A bar on standard error with count, elapsed time, rate and ETA.

    Yields:
        A function to call with (done, total).
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, rate="")

        def update(done: int, total: int | None) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.1f} {unit}/s" if speed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield update


def tracked(
    items: Iterable[Item], description: str, *, total: int, unit: str
) -> Iterator[Item]:
    """Pass items on, with a progress bar."""
    with progress(description, total=total, unit=unit) as update:
        for done, item in enumerate(items, start=1):
            yield item
            update(done, total)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e6 else f"{value:.3e}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**5:
        return f"{value:,}"
    return str(value)
