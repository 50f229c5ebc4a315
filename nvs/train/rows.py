"""CSV files that a run appends to, and goes on with after it was cut off."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from nvs.files import write_text


def append_row(path: Path, row: Mapping[str, int | float | str]) -> None:
    """Append a row under the columns that the file has; a new one gets the row's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = _columns(path)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file,
            columns or list(row),
            restval="",
            extrasaction="ignore",
            lineterminator="\n",
        )
        if not columns:
            writer.writeheader()
        writer.writerow(row)


def keep_rows(path: Path, last_step: int) -> None:
    """Drop rows of later steps, and rows that were cut off by a full disk or a kill.

    The first column is the step. A file without a whole header is removed.
    """
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = list(file)
    whole = [line for line in lines if line.endswith("\n")]
    num_columns = len(_fields(whole[0])) if whole else 0
    if num_columns == 0:
        path.unlink()
        return
    kept = [line for line in whole[1:] if _is_kept(line, num_columns, last_step)]
    if len(kept) < len(lines) - 1:
        write_text(path, "".join([whole[0], *kept]))


def _columns(path: Path) -> list[str]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        return _fields(file.readline())


def _is_kept(line: str, num_columns: int, last_step: int) -> bool:
    fields = _fields(line)
    try:
        return len(fields) == num_columns and int(fields[0]) <= last_step
    except ValueError:
        return False


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []
