"""What a run says about itself: lines, CSV files, TensorBoard events, pictures."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from nvs.errors import OutputError
from nvs.files import write_text
from nvs.train.heldout import HeldOutResult
from nvs.train.pictures import write_grid

METRICS = "metrics.csv"
HELDOUT = "heldout.csv"


class Report:
    """Everything the first process writes beside checkpoints.

    Args:
        folder: The run's folder.
        start: Steps done; rows of later steps, from before a resume, are removed.
        tensorboard: Write events for TensorBoard too.
        quiet: Print nothing.
    """

    def __init__(
        self, folder: Path, *, start: int, tensorboard: bool, quiet: bool = False
    ) -> None:
        self.folder = folder
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        for name in (METRICS, HELDOUT):
            _forget_rows_after(folder / name, start)
        self.events = None
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            self.say("TensorBoard is not installed: events are not written")
        elif tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.events = SummaryWriter(
                str(folder / "tensorboard"), purge_step=start + 1
            )

    def say(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, soft_wrap=True)

    def step(self, row: Mapping[str, int | float | str]) -> None:
        """Record the metrics of a step, the first of which is `step`."""
        self._append(METRICS, row)
        self._events("train", row)

    def heldout(
        self, step: int, stage: int, seconds: float, results: Sequence[HeldOutResult]
    ) -> None:
        """Record a held-out evaluation and its picture."""
        if not results:
            return
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
            if self.events is not None:
                self.events.add_scalar(f"heldout/{result.name}", result.psnr_db, step)
        write_grid(self.folder / "pictures" / f"step-{step:08d}.png", results)
        shown = ", ".join(f"{r.name} {r.psnr_db:.2f} dB" for r in results)
        self.say(f"step {step}  held out: {shown}")

    def close(self) -> None:
        """Finish the event file."""
        if self.events is not None:
            self.events.close()

    def _append(self, name: str, row: Mapping[str, int | float | str]) -> None:
        path = self.folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            with path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(row))
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}",
                remedy="Free some space or check the permissions, then go on with "
                "--resume.",
            ) from error

    def _events(self, group: str, row: Mapping[str, int | float | str]) -> None:
        if self.events is None:
            return
        for key, value in row.items():
            if key != "step" and not isinstance(value, str):
                self.events.add_scalar(f"{group}/{key}", value, int(row["step"]))


def _forget_rows_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if int(row.split(",")[0]) <= step]
    write_text(path, "\n".join([header, *kept]) + "\n")
