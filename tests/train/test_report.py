"""What a run writes about itself."""

from __future__ import annotations

import csv
import errno
import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.errors import OutputError
from nvs.train.batch import Batch
from nvs.train.heldout import HeldOutResult, picture_grid
from nvs.train.report import HELDOUT, Report


def result(name: str, colour: float, num_inputs: int = 2) -> HeldOutResult:
    batch = Batch(
        image=torch.full((1, num_inputs + 1, 3, 16, 16), colour),
        world_from_camera=torch.eye(4).expand(1, num_inputs + 1, 4, 4),
        intrinsics=torch.ones(1, num_inputs + 1, 4),
        num_inputs=num_inputs,
    )
    rendered = torch.zeros(1, 3, 16, 16)
    return HeldOutResult(
        name=name, psnr_db=20.0, inputs_psnr_db=21.0, batch=batch, rendered=rendered
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@contextmanager
def largest_file(num_bytes: int) -> Generator[None]:
    """Writing past a size fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


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
    assert (second["scene"], second["inputs_psnr_db"]) == ("second", "21.0")
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
    monkeypatch.setattr(Path, "open", full_disk)
    with pytest.raises(OutputError, match=r"metrics.csv: No space left on device"):
        report.step({"step": 1, "loss": 0.5})


@pytest.mark.parametrize("num_bytes", [10, 200])
def test_a_disk_that_fills_up_under_the_events_is_named(
    tmp_path: Path, num_bytes: int
) -> None:
    pytest.importorskip("tensorboard")

    def run() -> None:
        report = Report(tmp_path, start=0, tensorboard=True, quiet=True)
        for step in range(10):
            report.step({"step": step, "loss": 0.5})

    full = pytest.raises(OutputError, match=r"/tensorboard.*: File too large. Free")
    with largest_file(num_bytes), full:
        run()


def test_the_end_hides_no_error_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    report = Report(tmp_path, start=0, tensorboard=True, quiet=True)
    monkeypatch.setattr(report.events, "add", full_disk)

    def run() -> None:
        try:
            report.step({"step": 1, "loss": 0.5})
        finally:
            report.close()

    with pytest.raises(OutputError, match=r"tfevents.*: No space left on device"):
        run()


def test_a_line_that_cannot_be_printed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report(tmp_path, start=0, tensorboard=False)
    monkeypatch.setattr(report.console, "print", full_disk)
    with pytest.raises(OutputError, match="standard error output: No space left"):
        report.say("step 1")


def test_events_are_written_where_tensorboard_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    report = Report(tmp_path, start=0, tensorboard=True, quiet=True)
    for step in (1, 2, 3):
        report.step({"step": step, "loss": step / 4, "lpips": ""})
    report.heldout(3, 0, 1.5, [result("first", 0.25)])
    report.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    events.rename(events.with_name("events.out.tfevents.0000000001.first"))
    report = Report(tmp_path, start=2, tensorboard=True, quiet=True)
    report.step({"step": 3, "loss": 9.0})
    read = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    held_out = ["heldout/first", "inputs/first"]
    assert read.Tags()["scalars"] == ["train/loss", *held_out]
    losses = [(event.step, event.value) for event in read.Scalars("train/loss")]
    assert losses == [(1, 0.25), (2, 0.5), (3, 9.0)]
    assert read.Scalars("heldout/first") == []


@pytest.mark.parametrize(
    ("left", "steps"),
    [
        ("", "3"),
        ("step,lo", "3"),
        ("step,loss\n", "3"),
        ("\n1,0.5\n", "3"),
        ("step,loss\n1,0.5\n2", "13"),
        ("step,loss\n1,0.5\n2,0.12", "13"),
        ("step,loss\r\n1,0.5\r\n\r\n2,0.5\r\n", "123"),
        ("step,loss\n1,0.5\n\n\0\0\0\n2,0.5,7\n2,0.5\nx,0.5\n5,0.5\n", "123"),
    ],
)
def test_a_table_that_was_cut_off_goes_on(
    tmp_path: Path, left: str, steps: str
) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(left.encode())
    report = Report(tmp_path, start=2, tensorboard=False, quiet=True)
    report.step({"step": 3, "loss": 0.5})
    assert [(row["step"], row["loss"]) for row in rows(path)] == [
        (step, "0.5") for step in steps
    ]


def test_a_table_cut_anywhere_keeps_its_whole_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    report = Report(tmp_path, start=0, tensorboard=False, quiet=True)
    for step in (11, 12, 13):
        report.step({"step": step, "loss": step / 100, "note": f'a, "{step}"'})
    content = path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        Report(tmp_path, start=20, tensorboard=False, quiet=True)
        left = path.read_bytes() if path.exists() else b""
        assert left == content[: content.rfind(b"\n", 0, size) + 1]


def test_rows_keep_to_the_columns_of_the_file(tmp_path: Path) -> None:
    report = Report(tmp_path, start=0, tensorboard=False, quiet=True)
    report.step({"step": 1, "loss": 0.5, "old": 1})
    report.step({"step": 2, "new": 1, "loss": 0.25})
    assert rows(tmp_path / "metrics.csv") == [
        {"step": "1", "loss": "0.5", "old": "1"},
        {"step": "2", "loss": "0.25", "old": ""},
    ]


def test_only_one_process_touches_files(tmp_path: Path) -> None:
    first = Report(tmp_path, start=0, tensorboard=False, quiet=True)
    first.step({"step": 1, "loss": 0.5})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    other = Report(tmp_path, start=0, tensorboard=True, quiet=True, writes=False)
    other.step({"step": 1, "loss": 0.5})
    other.heldout(1, 0, 1.5, [result("first", 0.25)])
    other.close()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_finished_run_does_not_repeat_its_last_evaluation(tmp_path: Path) -> None:
    for seconds, start, step in ((1.0, 0, 4), (2.0, 4, 8), (3.0, 8, 8), (4.0, 8, 8)):
        report = Report(tmp_path, start=start, tensorboard=False, quiet=True)
        report.heldout(step, 0, seconds, [result("a", 0.25), result("b", 0.75)])
    found = [
        (r["step"], r["scene"], r["seconds"]) for r in rows(report.folder / HELDOUT)
    ]
    assert found == [
        ("4", "a", "1.0"),
        ("4", "b", "1.0"),
        ("8", "a", "4.0"),
        ("8", "b", "4.0"),
    ]
