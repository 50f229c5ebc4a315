"""Folders of renders, comparison, published numbers and the report."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval.compare import differences, load_runs
from eval.published import published, published_complexity
from eval.report.page import write_report
from eval.runs import RunSettings, load_rows, run
from eval.runs.records import Row
from eval.summary import Setting, summarise_rows
from nvs.errors import ConfigError, DatasetError
from nvs.images import read_image

pytestmark = pytest.mark.usefixtures("no_lpips")


@pytest.fixture
def folder_of_run(make_object, weights: Path, tmp_path: Path) -> Path:
    for name in ("ball", "globe"):
        make_object(name)
    settings = RunSettings(
        protocol="gso",
        data=(str(tmp_path / "objects"),),
        weights=(str(weights),),
        views=(4, 8),
        sizes=((32, 32),),
        pictures=-1,
        out=str(tmp_path / "run"),
        device="cpu",
    )
    run(settings)
    return tmp_path / "run"


def row(scene: str, method: str, psnr: float, **more: object) -> Row:
    values = {"psnr": psnr, "psnr_pooled": psnr, "ssim_gaussian": 0.5}
    values |= {"ssim_uniform": 0.5, "lpips_vgg": None, "lpips_alex": None}
    where = {"protocol": "gso", "height": 32, "width": 32, "num_views": 4}
    return {
        "scene": scene,
        "method": method,
        "normalised_by": "none",
        "num_images": 1,
        "image_mse": [10 ** (-psnr / 10)],
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


def test_summary_pools_the_error_of_all_images() -> None:
    rows = [row("a", "m", 10.0), row("b", "m", 30.0)]
    (line,) = summarise_rows({"": rows})
    assert line.num_scenes == 2
    assert line.metrics["psnr"].mean == pytest.approx(20)
    assert line.metrics["psnr_pooled"].mean == pytest.approx(
        -10 * np.log10((0.1 + 0.001) / 2)
    )
    assert line.metrics["lpips_alex"] is None


def test_runs_with_one_label_are_refused(folder_of_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder_of_run, tmp_path / "other" / "run")
    with pytest.raises(ConfigError, match="two folders are called run"):
        load_runs([folder_of_run, copy])
    with pytest.raises(DatasetError, match="is not the folder of an evaluation"):
        load_runs([tmp_path / "other"])


def test_published_numbers_name_their_source() -> None:
    lines = published()
    assert all(re.search(r"arXiv:\d{4}\.\d{5}", line.source) for line in lines)
    assert all(10 < line.psnr < 45 for line in lines)
    assert all(0 < line.lpips < line.ssim < 1 for line in lines)
    lact = [line for line in lines if line.method == "LaCT"]
    for size in ((256, 256), (512, 512), (536, 960)):
        own = [x for x in lact if (x.setting.height, x.setting.width) == size]
        psnrs = [line.psnr for line in own]
        assert psnrs == sorted(psnrs), "more views never hurt in the paper"
    wanted = Setting(protocol="dl3dv", height=536, width=960, num_views=32)
    (one,) = (x for x in published([wanted]) if x.method == "LaCT")
    assert one.psnr == 26.9
    assert "left out" in published_complexity()["note"]


class Page(HTMLParser):
    """Collects what a page refers to and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v]
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_whole_page(folder_of_run: Path, tmp_path: Path) -> None:
    with (folder_of_run / "failures.jsonl").open("a") as file:
        file.write(json.dumps({"scene": "<b>x</b>", "error": "broken & gone"}) + "\n")
    target = tmp_path / "page" / "report.html"
    markdown = write_report([folder_of_run], target)
    text = target.read_text()
    page = Page(text)
    assert page.open == []
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert "$" not in re.sub(r"data:[^\"&]*|<script>.*</script>", "", text, flags=re.S)
    assert "Failed: <b>x</b>: broken & gone" in page.text
    assert "lpips_vgg is empty: no backbone here" in page.text
    for heading in ("Worst scenes of net", "Best scenes of net", "Compare", "Times"):
        assert heading in page.text
    assert text.count("<svg") == 1 + 2, "one chart of PSNR, two of scenes"
    first = load_rows(folder_of_run)[0]
    (line, *_) = summarise_rows({"": load_rows(folder_of_run)})
    shown = f"{line.metrics['psnr'].mean:.2f}"
    assert shown in page.text
    assert shown in markdown.read_text()
    assert first["weights_digest"] in page.text


def test_kept_pictures_are_what_was_measured(folder_of_run: Path) -> None:
    for r in load_rows(folder_of_run):
        place = folder_of_run / "pictures" / "32x32"
        truth = read_image(place / "truth" / r["scene"] / r["pictures"][0]) / 255
        render = place / str(r["num_views"]) / r["method"] / r["scene"]
        picture = read_image(render / r["pictures"][0]) / 255
        psnr = -10 * np.log10(((picture - truth) ** 2).mean())
        assert psnr == pytest.approx(r["image_psnr"][0], abs=0.1)


def test_the_command_line_runs_and_reports(nvs, make_object, weights, tmp_path) -> None:
    make_object("ball")
    config = tmp_path / "run.yaml"
    config.write_text(
        f"data: {tmp_path / 'objects'}\nmethods: [nearest, mean]\nviews: [4, 8]\n"
        f"out: {tmp_path / 'out'}\n"
    )
    code, text, error = nvs(
        *("eval", "gso", "--config", config, "--views", "4", "--size", "32")
    )
    assert code == 0, error
    assert "| gso | 32×32 | 4 | nearest |" in text
    assert "| 8 |" not in text
    code, _, error = nvs("eval", "report", tmp_path / "out")
    assert code == 0
    assert (tmp_path / "out" / "report.html").is_file()
    for wrong, message in (
        (["gso", tmp_path], "have no out"),
        (["gso", "--config", config, "--views", "four"], "--views is 'four'"),
        (["gso", "--config", config, "--size", "1x2x3"], "--size has '1x2x3'"),
        (["gso", "--config", config, "--require-lpips"], "no backbone here"),
        (["dl3dv", "--config", config, "--normalise", "x"], "normalised by 'x'"),
        (["complexity", "--size", "32,64"], "--size is '32,64'"),
        (["complexity", "--set", "dim=wide"], "--set is 'dim=wide'"),
    ):
        code, _, error = nvs("eval", *wrong)
        assert (code, message in error) == (2, True), error


def test_complexity_prints_its_table(nvs, tmp_path: Path) -> None:
    out = tmp_path / "cost.json"
    code, text, error = nvs(
        *("eval", "complexity", "--views", "1,2", "--size", "16", "--repeats", 1),
        *("--set", "dim=32", "--set", "fast_head_dim=32", "--set", "num_blocks=2"),
        *("--set", "attention_head_dim=16", "--registers", 8, "--out", out),
        *("--device", "cpu"),
    )
    assert code == 0, error
    assert "| full attention | 2 |" in text
    assert "Published: 48 input images" in text
    assert len(json.loads(out.read_text())["rows"]) == 6
