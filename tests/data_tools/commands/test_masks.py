"""Masks of a capture, as typed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from nvs.scene.datasets import read_dataset


def test_masks_are_written_and_shown(
    nvs, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a way to cut that takes all that seeds allow."""
    monkeypatch.setattr(
        "nvs_data.segmenters.segmenter",
        lambda method: lambda image, seeds, _: seeds != 0,
    )
    sheet = tmp_path / "sheet.png"
    command = ("data", "mask", capture, "--without", "3,5-6", "--json")
    done = nvs(*command, "--sheet", sheet)
    assert done.code == 0, done.err
    assert (done.json["masks"], len(done.json["views"])) == (61, 64)
    assert done.json["folder"] == str(capture / "masks")
    with Image.open(sheet) as image:
        assert np.asarray(image).std() > 10
    masked = [frame.pixels().shape[-1] == 4 for frame in read_dataset(capture).frames]
    assert [view for view, is_masked in enumerate(masked) if not is_masked] == [3, 5, 6]
    done = nvs(*command)
    assert done.code == 2
    assert "has a mask already" in done.err
    assert nvs(*command, "--force").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "magic"), "Use one of grabcut, rembg"),
        (("--without", "64"), "there are 64 views"),
        (("--without", "x"), "--without has 'x'"),
    ],
)
def test_mistakes_end_in_one_line(nvs, capture: Path, words, said: str) -> None:
    done = nvs("data", "mask", capture, *words)
    assert (done.code, said in done.err) == (2, True), done.err
    assert not (capture / "masks").exists()


def test_doubtful_masks_are_named(
    nvs, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = SimpleNamespace(name="7.png", agreement=0.1, share=0.5)
    monkeypatch.setattr("nvs_data.masking.find_masks", lambda *_, **__: [cut])
    monkeypatch.setattr("nvs_data.masking.write_masks", lambda *_, **__: [])
    done = nvs("data", "mask", capture)
    assert done.code == 0, done.err
    assert "1 masks agree little with the others: 7.png" in done.err
