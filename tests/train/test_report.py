"""What a run writes about itself."""

from __future__ import annotations

import csv
import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.errors import OutputError
from nvs.train.batch import Batch
from nvs.train.heldout import HeldOutResult
from nvs.train.pictures import picture_grid
from nvs.train.report import Report


def result(name: str, colour: float, num_inputs: int = 2) -> HeldOutResult:
    batch = Batch(
        image=torch.full((1, num_inputs + 1, 3, 16, 16), colour),
        world_from_camera=torch.eye(4).expand(1, num_inputs + 1, 4, 4),
        intrinsics=torch.ones(1, num_inputs + 1, 4),
        num_inputs=num_inputs,
    )
    rendered = torch.zeros(1, 3, 16, 16)
    return HeldOutResult(name=name, psnr_db=20.0, batch=batch, rendered=rendered)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_after_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    report = Report(tmp_path, start=0, tensorboard=False, quiet=True)
    for step in (1, 2, 3):
        report.step({"step": step, "loss": step / 10})
    report = Report(tmp_path, start=2, tensorboard=False, quiet=True)
    report.step({"step": 3, "loss": 9.0})
    assert [row["loss"] for row in rows(tmp_path / "metrics.csv")] == [
        "0.1",
        "0.2",
        "9.0",
    ]


def test_a_heldout_result_has_a_row_and_a_picture(tmp_path: Path) -> None:
    report = Report(tmp_path, start=0, tensorboard=False, quiet=True)
    report.heldout(7, 0, 1.5, [result("first", 0.25), result("second", 0.75)])
    (first, second) = rows(tmp_path / "heldout.csv")
    assert (first["step"], first["scene"], first["psnr_db"]) == ("7", "first", "20.0")
    assert second["scene"] == "second"
    pixels = np.asarray(Image.open(tmp_path / "pictures" / "step-00000007.png"))
    assert pixels.shape[0] == 2 * 20


def test_a_row_shows_inputs_then_truth_then_render() -> None:
    grid = picture_grid([result("first", 0.5), result("second", 1.0, num_inputs=1)])
    middle = grid[10, :, 0].tolist()
    shown = [
        value for i, value in enumerate(middle) if i == 0 or middle[i - 1] != value
    ]
    assert shown == [255, 128, 255, 128, 255, 128, 255, 0, 255]
    assert grid.shape == (40, 4 * 20 + 8, 3)


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(tmp_path, start=0, tensorboard=False, quiet=True)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match=r"metrics.csv: No space left on device"):
        report.step({"step": 1, "loss": 0.5})


def test_events_are_written_where_tensorboard_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    report = Report(tmp_path, start=0, tensorboard=True, quiet=True)
    report.step({"step": 1, "loss": 0.5})
    report.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"train/loss" in events.read_bytes()
