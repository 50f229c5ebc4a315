"""From photographs to a video in one command, which goes on where it stopped."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nvs.scene import Scene, load_views

STEPS = ["pose", "validate", "build", "video", "sheet"]
ANSWERS: dict[str, dict[str, Any]] = {
    "pose": {"photographs": 7, "posed": 6, "reprojection_error_px": 0.5},
    "validate": {"findings": [], "exit_code": 0},
    "build": {"expect": "fine", "psnr_held_out": 20.0},
    "video": {},
    "sheet": {},
}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the steps as they run; each makes its file and answers at once."""
    names: list[str] = []

    def run(step: Any) -> dict[str, Any]:
        names.append(step.name)
        option, made = step.makes
        assert option in step.words
        assert step.source.exists()
        made.mkdir() if step.name == "pose" else made.write_text("made")
        return ANSWERS[step.name]

    monkeypatch.setattr("nvs_data.commands.chain._run", run)
    return names


def test_a_second_run_does_nothing_again(nvs, photos, tmp_path, ran) -> None:
    out = tmp_path / "out"
    first = nvs("quickstart", photos, "-o", out, "--json")
    assert first.code == 0, first.err
    assert (ran, first.json["reused"]) == (STEPS, [])
    ran.clear()
    again = nvs("quickstart", photos, "-o", out, "--json")
    assert (ran, again.json["reused"]) == ([], STEPS)
    assert f"nvs: build: as before, {out / 'built.scene'}" in again.err
    assert {**again.json, "reused": []} == first.json


@pytest.mark.parametrize(
    ("options", "redone"),
    [
        (("--frames", 9), STEPS[3:]),
        (("--size", 32), STEPS[2:]),
        (("--holdout", 0), STEPS[2:]),
        (("--compile",), STEPS[2:]),
        (("--weights", "lact_room"), STEPS[1:]),
    ],
)
def test_changed_options_begin_again_where_they_matter(
    nvs, photos, tmp_path, ran, options, redone
) -> None:
    out = tmp_path / "out"
    assert nvs("quickstart", photos, "-o", out).code == 0
    ran.clear()
    assert nvs("quickstart", photos, "-o", out, *options).code == 0
    assert ran == redone


def test_changed_photographs_begin_again(nvs, photos, tmp_path, ran) -> None:
    out = tmp_path / "out"
    assert nvs("quickstart", photos, "-o", out).code == 0
    ran.clear()
    (photos / "plain.png").unlink()
    (out / "dataset" / "of before").touch()
    assert nvs("quickstart", photos, "-o", out).code == 0
    assert ran == STEPS
    assert not (out / "dataset" / "of before").exists()


def test_what_is_gone_is_made_again_with_all_that_follows(
    nvs, photos, tmp_path, ran
) -> None:
    out = tmp_path / "out"
    assert nvs("quickstart", photos, "-o", out).code == 0
    ran.clear()
    (out / "built.scene").unlink()
    assert nvs("quickstart", photos, "-o", out).code == 0
    assert ran == STEPS[2:]


def test_interrupted_posing_is_gone_on_with(
    nvs, photos, tmp_path, ran, monkeypatch
) -> None:
    out = tmp_path / "out"

    def interrupt(step: Any) -> None:
        step.makes[1].mkdir()
        (step.makes[1] / "database.db").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("nvs_data.commands.chain._run", interrupt)
        stopped = nvs("quickstart", photos, "-o", out)
    assert stopped.code == 130
    assert f"finished steps are kept in {out}" in stopped.err
    monkeypatch.setattr(Path, "mkdir", _existing(Path.mkdir))
    assert nvs("quickstart", photos, "-o", out).code == 0
    assert ran == STEPS
    assert (out / "dataset" / "database.db").exists()


def _existing(mkdir: Any) -> Any:
    return lambda path, *_, **__: mkdir(path, parents=True, exist_ok=True)


def test_other_folders_and_no_photographs_are_refused(nvs, photos, tmp_path) -> None:
    refused = nvs("quickstart", photos, "-o", photos)
    assert refused.code == 2
    assert "is there already and not empty" in refused.err
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = nvs("quickstart", empty, "-o", tmp_path / "out")
    assert refused.code == 2
    assert "holds no photographs" in refused.err


def test_a_command_that_fails_ends_it(nvs, photos, tmp_path) -> None:
    """The command itself has said why."""
    for picture in photos.iterdir():
        picture.write_bytes(b"damaged")
    done = nvs("quickstart", photos, "-o", tmp_path / "out")
    assert done.code == 2
    notes = json.loads((tmp_path / "out" / "quickstart.json").read_text())
    assert list(notes) == ["pose"]
    assert notes["pose"]["result"] is None


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["photographs", "video"])
def test_sample_photographs_become_a_video(nvs, tmp_path, kind) -> None:
    """Pictures of a walk through a papered room."""
    import imageio.v2 as imageio

    from tests.data_tools.test_posing import photograph, walk

    source = tmp_path / ("photos" if kind == "photographs" else "walk.mp4")
    pictures = [
        photograph(camera) for camera in walk(16 if kind == "photographs" else 40)
    ]
    if kind == "photographs":
        source.mkdir()
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(source / f"{index}.png")
    else:
        with imageio.get_writer(source, fps=20, quality=9) as writer:
            for picture in pictures:
                writer.append_data(picture)
    out = tmp_path / "out"
    command = ("quickstart", source, "-o", out, "--weights", "lact_room")
    command += ("--frames", 8, "--count", 16, "--json")
    done = nvs(*command)
    assert done.code == 0, done.err
    assert done.json["posed"] == len(load_views(out / "dataset", size=64)) == 16
    assert len(Scene.load(out / "built.scene").input_names) == 14
    assert math.isfinite(done.json["psnr_held_out"])
    assert len(imageio.mimread(out / "video.mp4")) == 8
    with Image.open(out / "sheet.png") as sheet:
        assert np.asarray(sheet).std() > 10
    assert nvs(*command).json["reused"] == STEPS
