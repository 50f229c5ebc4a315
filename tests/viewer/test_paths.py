"""Camera paths: keys on the timeline, files, videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from nvs.api.renders import VideoRequest
from nvs.cameras import read_camera_path, through
from nvs.cameras.camera import Camera
from tests.viewer.conftest import Fake, after, settled


@pytest.fixture
def page(open_page: Callable[..., Page], fake: Fake) -> Page:
    """Three keys: the first three input cameras, two seconds apart."""
    page = open_page(fake.scene_url)
    settled(page)
    page.keyboard.press("k")
    for _ in range(2):
        after(page, lambda: page.keyboard.press("."))
        page.keyboard.press("k")
    return page


def exported(page: Page, folder: Path) -> Path:
    with page.expect_download() as download:
        page.click(".timeline >> text=Export")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def times(page: Page) -> list[float]:
    keys = page.locator(".key")
    return [
        float(keys.nth(i).get_attribute("aria-valuenow") or "")
        for i in range(keys.count())
    ]


def test_exported_path_is_the_one_the_command_line_makes(
    page: Page, tmp_path: Path
) -> None:
    path = read_camera_path(exported(page, tmp_path))
    assert (len(path.camera), path.fps) == (121, 30.0)
    keys = json.loads((tmp_path / "ring-path.json").read_text())["editor"]["keys"]
    assert [key["seconds"] for key in keys] == [0, 2, 4]
    camera = Camera(
        world_from_camera=tensor([key["world_from_camera"] for key in keys]),
        intrinsics=tensor([[key[n] for n in ("fx", "fy", "cx", "cy")] for key in keys]),
        height=64,
        width=96,
    )
    expected = through(camera, 121).world_from_camera
    np.testing.assert_allclose(path.camera.world_from_camera, expected, atol=1e-5)


def tensor(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.slow
def test_keys_move_and_go(page: Page) -> None:
    assert times(page) == [0, 2, 4]
    page.focus(".key >> nth=1")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert times(page) == [0, 2.5, 4]
    lane = page.locator(".lane").bounding_box()
    key = page.locator(".key >> nth=1").bounding_box()
    assert lane is not None
    assert key is not None
    page.mouse.move(key["x"] + key["width"] / 2, key["y"] + key["height"] / 2)
    page.mouse.down()
    page.mouse.move(lane["x"] + lane["width"] / 4, key["y"] + 5)
    page.mouse.up()
    assert times(page) == [0, pytest.approx(1.0, abs=0.05), 4]
    page.get_by_label("Length").fill("8")
    page.keyboard.press("Enter")
    assert times(page)[2] == 8
    page.focus(".key >> nth=0")
    page.keyboard.press("Delete")
    assert times(page) == [0, pytest.approx(6.0, abs=0.1)]


@pytest.mark.slow
def test_keys_outlast_a_reload(page: Page) -> None:
    page.select_option(".timeline select >> nth=0", "ends")
    page.locator(".key").nth(1).focus()
    page.keyboard.press("ArrowRight")
    before = times(page)
    page.reload()
    settled(page)
    page.keyboard.press("t")
    assert times(page) == before == [0, 2.1, 4]
    expect(page.locator(".timeline select >> nth=0")).to_have_value("ends")
    for _ in range(3):
        page.locator(".key").nth(0).focus()
        page.keyboard.press("Delete")
    page.reload()
    settled(page)
    page.keyboard.press("t")
    expect(page.locator(".key")).to_have_count(0)


def test_an_empty_timeline_says_what_to_do_on_any_device(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url)
    settled(page)
    page.keyboard.press("t")
    expect(page.locator(".track-empty")).to_contain_text("add a Key (K)")
    expect(page.locator(".ruler .tick")).to_have_count(0)


def test_an_inner_key_is_added_at_the_playhead(page: Page) -> None:
    lane = page.locator(".lane").bounding_box()
    assert lane is not None
    page.mouse.click(lane["x"] + lane["width"] * 0.75, lane["y"] - 8)
    page.keyboard.press("k")
    assert times(page) == [0, 2, pytest.approx(3.0, abs=0.05), 4]


def test_playing_moves_the_camera_to_the_end(page: Page) -> None:
    page.get_by_label("Length").fill("0.5")
    page.keyboard.press("Enter")
    after(page, lambda: page.focus(".key >> nth=0"))
    page.locator(".frame").focus()
    page.keyboard.press(" ")
    expect(page.locator(".clock")).to_have_text("0.5 s")
    expect(page.get_by_title("Play (Space)")).to_be_visible()


def test_import_restores_an_export(page: Page, tmp_path: Path) -> None:
    page.get_by_role("combobox", name="Pace").select_option("ends")
    page.get_by_label("Loop").check()
    path = exported(page, tmp_path)
    before = json.loads(path.read_text())
    assert len(before["frames"]) == 180, "a loop ends one step before its start"
    page.keyboard.press("Escape")
    page.reload()
    settled(page)
    page.keyboard.press("t")
    page.locator("input[accept]").set_input_files(path)
    page.wait_for_selector("text=3 keys from ring-path.json")
    again = tmp_path / "again"
    again.mkdir()
    after_import = json.loads(exported(page, again).read_text())
    assert after_import["editor"]["ease"] == "ends"
    np.testing.assert_allclose(
        [frame["world_from_camera"] for frame in after_import["frames"]],
        [frame["world_from_camera"] for frame in before["frames"]],
        atol=1e-6,
    )


@pytest.mark.slow
def test_import_of_a_nerfstudio_path_thins_it_to_keys(
    page: Page, tmp_path: Path
) -> None:
    own = json.loads(exported(page, tmp_path).read_text())
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    path = tmp_path / "nerfstudio.json"
    frames = [
        {
            "camera_to_world": (np.array(f["world_from_camera"]) @ flip)
            .ravel()
            .tolist(),
            "fov": 43.6,
            "aspect": 1.5,
        }
        for f in own["frames"]
    ]
    path.write_text(
        json.dumps(
            {"fps": 30, "render_height": 64, "render_width": 96, "camera_path": frames}
        )
    )
    page.locator("input[accept]").set_input_files(path)
    page.wait_for_selector("text=keys from nerfstudio.json")
    assert 2 <= len(times(page)) <= 24
    again = tmp_path / "again"
    again.mkdir()
    found = json.loads(exported(page, again).read_text())["frames"]
    np.testing.assert_allclose(
        [f["world_from_camera"] for f in found],
        [f["world_from_camera"] for f in own["frames"]],
        atol=0.05,
    )


NO_PATHS = [
    ("{", "This file is not JSON"),
    ("{}", "This is not a camera path"),
    ('{"format": "lact-nvs camera path", "version": 9}', "The file has version 9"),
    (
        '{"format": "lact-nvs camera path", "version": 1, "fps": 30, "height": 8, '
        '"width": 8, "frames": [{"world_from_camera": [[2, 0, 0, 0], [0, 1, 0, 0], '
        '[0, 0, 1, 0], [0, 0, 0, 1]], "fx": 1, "fy": 1, "cx": 1, "cy": 1}]}',
        "The pose of frame 0 is not a rigid motion",
    ),
]


@pytest.mark.slow
def test_files_that_are_no_paths(page: Page) -> None:
    for text, message in NO_PATHS:
        file = {"name": "path.json", "mimeType": "", "buffer": text.encode()}
        page.locator("input[accept]").set_input_files(file)
        notice = page.locator(".notice-problem")
        expect(notice).to_contain_text(message)
        notice.get_by_title("Close this message").click()
    assert times(page) == [0, 2, 4]


def test_video_is_asked_for_followed_and_saved(page: Page, fake: Fake) -> None:
    page.click("text=Make mp4")
    page.wait_for_selector(".job [data-state=succeeded]")
    order = VideoRequest.model_validate(fake.sent("POST .*/videos")[-1].json)
    assert (order.height, order.width, order.num_frames) == (64, 96, 121)
    with page.expect_download() as download:
        page.click(".job >> text=Save")
    assert download.value.suggested_filename == "ring.mp4"
    assert Path(download.value.path()).read_bytes() == bytes(range(256)) * 4


@pytest.mark.slow
def test_a_video_that_fails_says_why(page: Page, fake: Fake) -> None:
    fake.fail("video")
    page.get_by_role("combobox", name="Video of").select_option("orbit")
    page.click("text=Make mp4")
    page.wait_for_selector(".job [data-state=failed]")
    assert "The cameras disagree." in page.inner_text(".job")
    assert fake.sent("POST .*/videos")[-1].json["trajectory"] == {
        "kind": "orbit",
        "num_frames": 120,
    }
