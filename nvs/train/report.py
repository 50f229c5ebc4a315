"""What a run says about itself: lines, CSV files, TensorBoard events, pictures."""

from __future__ import annotations

import csv
import importlib.util
import os
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from rich.console import Console

from nvs.errors import OutputError
from nvs.files import write_text
from nvs.scene.pictures import write_png
from nvs.train.heldout import HeldOutResult, picture_grid

METRICS = "metrics.csv"
HELDOUT = "heldout.csv"
EVENT_VERSION = "brain.Event:2"


class Report:
    """Everything the first process writes beside checkpoints.

    Args:
        folder: The run's folder.
        start: Steps done; rows of later steps, from before a resume, are removed.
        tensorboard: Write events for TensorBoard too.
        quiet: Print nothing.
        writes: Whether to touch files at all; only one process may.

    Raises:
        OutputError: If something cannot be written, here and in every method.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start: int,
        tensorboard: bool,
        quiet: bool = False,
        writes: bool = True,
    ) -> None:
        self.folder = folder
        self.start = start
        self.writes = writes
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self.events = None
        if not writes:
            return
        for name in (METRICS, HELDOUT):
            with _writing(folder / name):
                keep_rows(folder / name, start)
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            self.say("TensorBoard is not installed: events are not written")
        elif tensorboard:
            with _writing(folder / "tensorboard"):
                self.events = EventFile(folder / "tensorboard", start=start)

    def say(self, line: str) -> None:
        """Print a line."""
        with _writing("the standard error output"):
            self.console.print(line, soft_wrap=True)

    def step(self, row: Mapping[str, int | float | str]) -> None:
        """Record the metrics of a step, the first of which is `step`."""
        self._append(METRICS, row)
        values = {
            f"train/{key}": float(value)
            for key, value in row.items()
            if key != "step" and not isinstance(value, str)
        }
        self._add_events(int(row["step"]), values)

    def heldout(
        self, step: int, stage: int, seconds: float, results: Sequence[HeldOutResult]
    ) -> None:
        """Record a held-out evaluation and its picture.

        A finished run that is resumed evaluates its last step again: those rows are
        replaced.
        """
        if not results:
            return
        if self.writes and step == self.start:
            with _writing(self.folder / HELDOUT):
                keep_rows(self.folder / HELDOUT, step - 1)
        for result in results:
            height, width = result.rendered.shape[-2:]
            row = {
                "step": step,
                "seconds": round(seconds, 1),
                "stage": stage,
                "scene": result.name,
                "height": height,
                "width": width,
                "psnr_db": round(result.psnr_db, 4),
                "inputs_psnr_db": round(result.inputs_psnr_db, 4),
            }
            self._append(HELDOUT, row)
        self._add_events(step, {f"heldout/{r.name}": r.psnr_db for r in results})
        self._add_events(step, {f"inputs/{r.name}": r.inputs_psnr_db for r in results})
        if self.writes:
            picture = self.folder / "pictures" / f"step-{step:08d}.png"
            write_png(picture, picture_grid(results))
        shown = ", ".join(f"{r.name} {r.psnr_db:.2f} dB" for r in results)
        self.say(f"step {step}  held out: {shown}")

    def close(self) -> None:
        """End the report.

        Everything is on disk by then, so that no failure here can hide an earlier one.
        """
        self.events = None

    def _append(self, name: str, row: Mapping[str, int | float | str]) -> None:
        if self.writes:
            with _writing(self.folder / name):
                append_row(self.folder / name, row)

    def _add_events(self, step: int, values: Mapping[str, float]) -> None:
        if self.events is not None:
            with _writing(self.events.path):
                self.events.add(step, values)


@contextmanager
def _writing(what: Path | str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {what}: {error.strerror or error}",
            remedy="Free some space or check the permissions, then go on with "
            "--resume.",
        ) from error


class EventFile:
    """Events for TensorBoard, on disk when a call returns; needs its package.

    TensorBoard's own writer has a thread, whose failure on a full disk shows late or
    never.

    Args:
        folder: Where event files lie.
        start: Steps done; what earlier files say of later steps is hidden.
    """

    def __init__(self, folder: Path, *, start: int) -> None:
        from tensorboard.compat.proto.event_pb2 import (
            SessionLog,  # pyright: ignore[reportAttributeAccessIssue]
        )

        place = f"{socket.gethostname()}.{os.getpid()}"
        self.path = folder / f"events.out.tfevents.{int(time.time()):010d}.{place}"
        folder.mkdir(parents=True, exist_ok=True)
        self._append(file_version=EVENT_VERSION)
        self._append(step=start + 1, session_log=SessionLog(status=SessionLog.START))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append numbers of a step."""
        from tensorboard.compat.proto.summary_pb2 import (
            Summary,  # pyright: ignore[reportAttributeAccessIssue]
        )

        scalars = [Summary.Value(tag=k, simple_value=v) for k, v in values.items()]
        self._append(step=step, summary=Summary(value=scalars))

    def _append(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import (
            Event,  # pyright: ignore[reportAttributeAccessIssue]
        )
        from tensorboard.summary.writer.record_writer import RecordWriter

        record = BytesIO()
        event = Event(wall_time=time.time(), **fields)
        RecordWriter(record).write(event.SerializeToString())
        with self.path.open("ab") as file:
            file.write(record.getvalue())


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
