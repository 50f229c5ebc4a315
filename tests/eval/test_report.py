"""Published numbers, the report, and the command line that writes it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from nvs.images import read_image
from nvs_eval.published import published, published_complexity
from nvs_eval.report.page import write_report
from nvs_eval.report.tables import shown
from nvs_eval.runs import load_rows
from nvs_eval.summary import Interval, Setting, summarise_rows

pytestmark = pytest.mark.usefixtures("no_lpips")


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
    own_table = [line for line in lines if line.source.startswith("Ziwen et al.")]
    assert {line.ssim_column for line in own_table} == {"ssim_uniform"}
    assert own_table[0].metrics["ssim_uniform"] == own_table[0].ssim


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
    assert page.links.count("#results") == 1
    assert "2 scenes · 4, 8 input views · 32×32 · net, nearest, mean" in page.text
    for heading in ("Worst scenes of net", "Best scenes of net", "Compare", "Times"):
        assert heading in page.text
    assert text.count("<svg") == 2 + 2, "charts of PSNR and SSIM, two of scenes"
    first = load_rows(folder_of_run)[0]
    (line, *_) = summarise_rows({"": load_rows(folder_of_run)})
    shown = f"{line.metrics['psnr'].mean:.2f}"
    assert shown in page.text
    assert shown in markdown.read_text()
    assert first["weights_digest"] in page.text


@pytest.mark.parametrize(("column", "zero"), [("psnr", "0.00"), ("lpips_vgg", "0.000")])
def test_nothing_is_less_than_zero_by_rounding(column: str, zero: str) -> None:
    interval = Interval(mean=-1e-5, low=-2e-5, high=1e-5)
    assert shown(column, interval, with_range=True) == f"{zero} [{zero}, {zero}]"


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
    assert "lpips_vgg is empty: no backbone here. Fetch it." in error
    code, _, error = nvs("eval", "report", tmp_path / "out")
    assert code == 0
    assert (tmp_path / "out" / "report.html").is_file()
    for wrong, message in (
        (["gso", tmp_path], "setting 'out' is missing"),
        (["gso", "--config", config, "--views", "four"], "--views has 'four'"),
        (["gso", "--config", config, "--size", "1x2x3"], "--size is '1x2x3'"),
        (["gso", "--config", config, "--require-lpips"], "no backbone here"),
        (["dl3dv", "--config", config, "--normalise", "x"], "normalised by 'x'"),
        (["complexity", "--size", "32,64"], "--size is '32,64'"),
        (["complexity", "--set", "dim=wide"], "--set is 'dim=wide'"),
        (["complexity", "--plot", "cost.gif"], "--plot is cost.gif"),
    ):
        code, _, error = nvs("eval", *wrong)
        assert (code, message in error) == (2, True), error


@pytest.fixture
def costs(nvs, tmp_path: Path) -> tuple[Path, str]:
    """The file and the output of a small measurement."""
    out = tmp_path / "cost.json"
    code, text, error = nvs(
        *("eval", "complexity", "--views", "1,2", "--size", "16", "--repeats", 1),
        *("--set", "dim=32", "--set", "fast_head_dim=32", "--set", "num_blocks=2"),
        *("--set", "attention_head_dim=16", "--registers", 8, "--out", out),
        *("--device", "cpu", "--plot", out.with_suffix(".png")),
    )
    assert code == 0, error
    return out, text


def test_complexity_prints_its_table(nvs, costs) -> None:
    out, text = costs
    assert "| full attention | 2 |" in text
    assert "Published: 48 input images" in text
    assert len(json.loads(out.read_text())["rows"]) == 6
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    code, _, error = nvs("eval", "complexity", "--device", "cpu", "--clock", "sun")
    assert (code, "the clock 'sun' cannot time cpu" in error) == (2, True)


def test_costs_stand_in_the_report(folder_of_run: Path, costs, nvs) -> None:
    report = ("eval", "report", folder_of_run, "--complexity")
    code, _, error = nvs(*report, costs[0])
    assert code == 0, error
    text = (folder_of_run / "report.html").read_text()
    assert "2 blocks of width 32, 8 registers" in Page(text).text
    assert text.count("<svg") == 2 + 2 + 3
    assert "Growth with n views" in (folder_of_run / "report.md").read_text()
    code, _, error = nvs(*report, folder_of_run / "run.json")
    assert (code, "run.json holds no costs" in error) == (2, True)
