"""What a run says about itself: lines, CSV files, TensorBoard events, pictures."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from nvs.errors import OutputError
from nvs.train.events import EventFile
from nvs.train.heldout import HeldOutResult
from nvs.train.pictures import write_grid
from nvs.train.rows import append_row, keep_rows

METRICS = "metrics.csv"
HELDOUT = "heldout.csv"


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
            }
            self._append(HELDOUT, row)
        self._add_events(step, {f"heldout/{r.name}": r.psnr_db for r in results})
        if self.writes:
            write_grid(self.folder / "pictures" / f"step-{step:08d}.png", results)
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
