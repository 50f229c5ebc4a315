"""The example that makes scenes in DL3DV's layout, through the whole protocol."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nvs.scene.datasets import read_dataset
from nvs_data.readers.dl3dv import DL3DVReader
from nvs_eval.runs import RunSettings, run

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "make_dl3dv_scene.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_dl3dv_scene", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def main(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
        module.main()

    module.run = main
    return module


@pytest.mark.usefixtures("no_lpips")
def test_a_room_goes_the_whole_way(example, weights: Path, tmp_path: Path) -> None:
    room = tmp_path / "scenes" / "room"
    example.run(room, "--frames", 12, "--height", 40, "--width", 64)
    assert DL3DVReader().recognises(room)
    stored = json.loads((room / "nerfstudio" / "transforms.json").read_text())
    assert (stored["h"], stored["w"]) == (160, 256), "cameras of full-size frames"
    frames = read_dataset(room).frames
    assert (frames[0].camera.height, frames[0].camera.width) == (40, 64)
    record = run(
        RunSettings(
            protocol="dl3dv",
            data=(str(room),),
            weights=(str(weights),),
            views=(8,),
            sizes=((32, 64),),
            indices=str(tmp_path / "indices"),
            out=str(tmp_path / "run"),
            device="cpu",
        )
    )
    assert record.failures == []
    scores = {row["method"]: row["psnr"] for row in record.rows}
    assert scores["nearest"] > 8, "the walk stays in one room"
    assert {row["num_images"] for row in record.rows} == {2}


def test_a_capture_keeps_its_lens_and_its_gaps(
    example, shared: Path, tmp_path: Path
) -> None:
    capture = shared / "data" / "fox"
    example.run(tmp_path / "fox", "--capture", capture)
    theirs, ours = read_dataset(capture), read_dataset(tmp_path / "fox")
    assert DL3DVReader().recognises(tmp_path / "fox")
    assert (len(ours.frames), len(ours.missing)) == (50, 17)
    for one, other in zip(ours.frames, theirs.frames, strict=True):
        assert one.camera.intrinsics.allclose(other.camera.intrinsics, rtol=1e-6)
    assert (ours.frames[0].load() == theirs.frames[0].load()).all()
