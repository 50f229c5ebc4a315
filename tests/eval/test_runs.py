"""Runs: what they write, how they resume, fail and share scenes."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nvs.errors import ConfigError, DatasetError, OutputError
from nvs.parallel.group import Group
from nvs.scene import Renderer, load_views
from nvs.scene.quality import psnr_db
from nvs_eval.metrics import COLUMNS, mean_squared_error
from nvs_eval.protocols.gso import TARGETS, read_inputs
from nvs_eval.runs import RunSettings, load_rows, load_timings, run
from nvs_eval.runs.run import _run
from nvs_eval.runs.scene_run import SceneRun

pytestmark = pytest.mark.usefixtures("no_lpips")


def test_a_run_says_everything_needed_to_repeat_it(settings: RunSettings) -> None:
    record = run(settings)
    out = Path(settings.out)
    rows = load_rows(out)
    assert rows == record.rows
    assert len(rows) == 3 * 2 * 3
    assert [row["scene"] for row in rows] == sorted(row["scene"] for row in rows)
    first = rows[0]
    assert first["method"] == "net"
    for key in ("weights_digest", "index_sha256", "data_sha256"):
        assert len(first[key]) == 64
    same = {(row["scene"], row["num_views"]): row["data_sha256"] for row in rows}
    assert len(set(same.values())) == len(same) == 3 * 2, "one a scene and view count"
    assert all(
        row["data_sha256"] == same[row["scene"], row["num_views"]] for row in rows
    )
    assert (first["seed"], first["precision"], first["num_views"]) == (0, "float32", 4)
    assert "scikit-image" in first["versions"]
    assert "torch" in first["versions"]
    assert first["machine"]
    assert first["lpips_vgg"] is None
    assert set(COLUMNS) <= set(first)
    about = json.loads((out / "run.json").read_text())
    assert "no backbone here" in about["unavailable"]["lpips_vgg"]
    assert about["decides"]["scenes"] == ["ball", "globe", "orb"]
    table = list(csv.DictReader((out / "results.csv").open()))
    assert float(table[0]["psnr"]) == first["psnr"]
    assert "image_psnr" not in table[0]
    timing = load_timings(out)[0]
    assert timing["prefill_seconds"] > 0
    assert "psnr" not in timing
    assert not any("seconds" in key for key in first), "times are kept apart"
    pictures = out / "pictures" / "32x32"
    assert (pictures / "truth" / "ball" / first["pictures"][0]).is_file()
    assert (pictures / "4" / "net" / "ball" / first["pictures"][0]).is_file()


def test_numbers_are_those_of_the_renderer(settings: RunSettings) -> None:
    record = run(replace(settings, views=(8,), methods=("lact",)))
    folder = Path(settings.data[0]) / "globe"
    renderer = Renderer.from_weights(settings.weights[0], device="cpu")
    inputs = load_views(folder, size=(32, 32), views=read_inputs(8)[0])
    targets = load_views(folder, size=(32, 32), views=list(TARGETS))
    scene = renderer.prefill(inputs, framing="none", dtype=torch.float32)
    images = renderer.render(scene, targets.camera).numpy()
    truth = targets.image.permute(0, 2, 3, 1).numpy()
    mses = [mean_squared_error(a, b) for a, b in zip(images, truth, strict=True)]
    (row,) = (row for row in record.rows if row["scene"] == "globe")
    np.testing.assert_allclose(row["image_mse"], mses, rtol=1e-5)
    assert row["psnr"] == pytest.approx(np.mean([psnr_db(mse) for mse in mses]))
    assert row["psnr_pooled"] == pytest.approx(psnr_db(float(np.mean(mses))))


def test_an_interrupted_run_resumes_to_the_same_table(
    settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(settings, out=str(tmp_path / "whole"))
    run(whole)
    evaluate, seen = SceneRun.evaluate, []

    def killed(self: SceneRun, scene):
        seen.append(scene.name)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return evaluate(self, scene)

    monkeypatch.setattr(SceneRun, "evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    assert not (Path(settings.out) / "results.jsonl").exists()
    run(settings)
    assert seen == ["ball", "globe", "globe", "orb"], "what was done is not repeated"
    for name in ("results.jsonl", "results.csv"):
        assert (Path(settings.out) / name).read_bytes() == (
            Path(whole.out) / name
        ).read_bytes()


def test_a_torn_scene_file_is_made_again(settings: RunSettings) -> None:
    run(settings)
    results = Path(settings.out) / "results.jsonl"
    before = results.read_bytes()
    (Path(settings.out) / "scenes" / "globe.json").write_text('{"identity": "')
    run(settings)
    assert results.read_bytes() == before


def test_corrupt_scenes_are_listed_and_tried_again(settings: RunSettings) -> None:
    root = Path(settings.data[0])
    image = root / "globe" / "images" / "0016.png"
    good = image.read_bytes()
    image.write_bytes(good[: len(good) // 2])
    (root / "orb" / "opencv_cameras.json").write_text("{")
    lines: list[str] = []
    record = run(settings, report=lines.append)
    assert {row["scene"] for row in record.rows} == {"ball"}
    failed = {failure["scene"]: failure["error"] for failure in record.failures}
    assert "0016.png: truncated or damaged" in failed["globe"]
    assert failed["orb"].startswith("DatasetError: ")
    assert "not readable JSON" in failed["orb"]
    assert sum("FAILED" in line for line in lines) == 2
    image.write_bytes(good)
    lines.clear()
    record = run(settings, report=lines.append)
    assert {row["scene"] for row in record.rows} == {"ball", "globe"}
    assert lines[0].endswith("ball: done before")
    assert [failure["scene"] for failure in record.failures] == ["orb"]


def test_a_run_of_which_nothing_is_left_is_an_error(settings: RunSettings) -> None:
    for folder in Path(settings.data[0]).iterdir():
        (folder / "opencv_cameras.json").unlink()
    with pytest.raises(DatasetError, match="none of the 3 scenes"):
        run(settings)


def test_other_settings_do_not_mix_into_a_folder(settings: RunSettings) -> None:
    run(settings)
    with pytest.raises(OutputError, match="a run with other views"):
        run(replace(settings, views=(4,)))
    other = Path(settings.out).parent / "other"
    other.mkdir()
    (other / "precious.txt").write_text("")
    with pytest.raises(OutputError, match="something else than a run"):
        run(replace(settings, out=str(other)))


def test_two_ranks_find_what_one_finds(
    settings: RunSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(settings)
    monkeypatch.setattr(Group, "wait", lambda self: None)
    shared = replace(settings, out=str(tmp_path / "shared"))
    seen: list[str] = []
    _run(shared, Group(device=torch.device("cpu"), rank=0, size=2), seen.append)
    second = _run(
        shared, Group(device=torch.device("cpu"), rank=1, size=2), seen.append
    )
    assert second.rows == []
    labels = [line for line in seen if line.startswith("scene ")]
    assert len(labels) == 3, "each scene is evaluated by one rank"
    _run(shared, Group(device=torch.device("cpu"), rank=0, size=2), seen.append)
    assert (tmp_path / "shared" / "results.jsonl").read_bytes() == (
        Path(settings.out) / "results.jsonl"
    ).read_bytes()


def test_unknown_methods_and_namesakes(settings: RunSettings) -> None:
    with pytest.raises(ConfigError, match="no method 'magic'"):
        run(replace(settings, methods=("magic",)))
    with pytest.raises(ConfigError, match="two methods are called nearest"):
        run(replace(settings, methods=("nearest", "nearest")))
