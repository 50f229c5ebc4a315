"""Folders of renders, summaries and comparison."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvs.errors import ConfigError, DatasetError
from nvs_eval.runs import load_rows
from nvs_eval.runs.records import Row
from nvs_eval.summary import differences, load_runs, summarise_rows

pytestmark = pytest.mark.usefixtures("no_lpips")


def row(scene: str, method: str, psnr: float, **more: object) -> Row:
    values = {"psnr": psnr, "psnr_pooled": psnr, "ssim_gaussian": 0.5}
    values |= {"ssim_uniform": 0.5, "lpips_vgg": None, "lpips_alex": None}
    where = {"protocol": "gso", "height": 32, "width": 32, "num_views": 4}
    return {
        "scene": scene,
        "method": method,
        "normalised_by": "none",
        "num_images": 1,
        **where,
        **values,
        **more,
    }


def test_renders_of_something_else_are_evaluated_alike(
    nvs, folder_of_run: Path, tmp_path: Path
) -> None:
    pictures = folder_of_run / "pictures" / "32x32"
    out = tmp_path / "theirs"
    arguments = [pictures / "8" / "nearest", pictures / "truth", "--name", "theirs"]
    code, text, _ = nvs(
        *("eval", "folder", *arguments, "--out", out),
        *("--protocol", "gso", "--views", 8),
    )
    assert code == 0
    assert "| gso | 32×32 | 8 | theirs |" in text
    ours = {r["scene"]: r for r in load_rows(folder_of_run) if r["method"] == "nearest"}
    for theirs in load_rows(out):
        assert theirs["num_images"] == 8
        same = ours[theirs["scene"]]
        assert theirs["psnr"] == pytest.approx(same["psnr"], abs=0.05), "8-bit rounding"
    code, text, _ = nvs("eval", "compare", folder_of_run, out)
    assert code == 0
    assert "| theirs (theirs) | net (run) |" in text
    assert "Δ PSNR" in text


def test_a_bad_folder_of_renders_is_reported(
    nvs, folder_of_run: Path, tmp_path: Path
) -> None:
    pictures = folder_of_run / "pictures" / "32x32"
    renders = shutil.copytree(pictures / "4" / "mean", tmp_path / "renders")
    names = sorted(path.name for path in (renders / "ball").iterdir())
    (renders / "ball" / names[2]).unlink()
    arguments = ["--name", "x", "--out", tmp_path / "bad", "--json"]
    code, text, _ = nvs("eval", "folder", renders, pictures / "truth", *arguments)
    assert code == 0
    assert json.loads(text)["failures"] == 1
    wide = Image.fromarray(np.zeros((32, 40, 3), np.uint8))
    wide.save(renders / "globe" / names[0])
    code, _, error = nvs(
        "eval", "folder", renders, pictures / "truth", "--name", "x", "--out",
        tmp_path / "worse",
    )  # fmt: skip
    assert code == 2
    assert "1 of 8 renders of ball are missing" in error
    code, _, error = nvs(
        "eval", "folder", tmp_path / "none", pictures, "--name", "x", "--out", "y"
    )
    assert (code, "there are no pictures in" in error) == (2, True)


def test_differences_are_paired_by_scene() -> None:
    hard = {"a": 10.0, "b": 20.0, "c": 30.0}
    rows = [row(scene, "first", psnr) for scene, psnr in hard.items()]
    rows += [row(scene, "second", psnr + 1) for scene, psnr in hard.items()]
    rows += [row("d", "second", 99.0)]
    (difference,) = differences({"": rows})
    assert (difference.method, difference.baseline) == ("second", "first")
    assert difference.num_scenes == 3
    interval = difference.metrics["psnr"]
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((1, 1))
    assert difference.metrics["lpips_vgg"] is None


def test_summary_is_the_mean_over_scenes_of_every_column() -> None:
    rows = [row("a", "m", 10.0), row("b", "m", 30.0, psnr_pooled=28.0)]
    (line,) = summarise_rows({"": rows})
    assert line.num_scenes == 2
    assert line.metrics["psnr"].mean == pytest.approx(20)
    pooled = line.metrics["psnr_pooled"]
    assert (pooled.mean, pooled.low, pooled.high) == pytest.approx((19, 10, 28))
    assert line.metrics["lpips_alex"] is None


def test_runs_with_one_label_are_refused(folder_of_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder_of_run, tmp_path / "other" / "run")
    with pytest.raises(ConfigError, match="two folders are called run"):
        load_runs([folder_of_run, copy])
    with pytest.raises(DatasetError, match="is not the folder of an evaluation"):
        load_runs([tmp_path / "other"])
