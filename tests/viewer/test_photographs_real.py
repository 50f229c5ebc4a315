"""Photographs without cameras on the real `nvs serve`: dropped, posed, cut out, built,
walked around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from nvs.api.cameras import PosedCamera
from nvs.cameras import Camera
from tests.data_tools.test_posing import pose_errors
from tests.photographs import sample_photographs
from tests.served import Served
from tests.viewer.conftest import after, drag, settled
from tests.viewer.test_scenes import FOLDER, step

LONG_MS = 1_200_000
SIDE = 128


def comes_to(page: Page, name: str) -> None:
    """Waits for a step, long, and no longer than until one fails."""
    steps = ",".join(f".upload-panel[data-step={step}]" for step in (name, "failed"))
    page.wait_for_selector(steps, timeout=LONG_MS)
    expect(page.locator(".upload-panel")).to_have_attribute("data-step", name)


def camera_of(values: object) -> Camera:
    posed = PosedCamera.model_validate(values)
    lens = [posed.fx, posed.fy, posed.cx, posed.cy]
    return Camera(
        world_from_camera=torch.tensor([posed.world_from_camera]).double(),
        intrinsics=torch.tensor([lens]).double(),
        height=SIDE,
        width=SIDE,
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_photographs_to_a_walk(
    open_page: Callable[..., Page],
    serve: Callable[..., Served],
    tmp_path: Path,
    shot: Callable[[Page, str], None],
) -> None:
    pytest.importorskip("pycolmap")
    folder = tmp_path / "chicken"
    folder.mkdir()
    known: dict[str, Camera] = {}
    for view, (camera, image, _) in enumerate(sample_photographs(scale=2)):
        known[f"{view:02}.png"] = camera
        Image.fromarray(image).save(folder / f"{view:02}.png")
    url = serve(pose_threads=2).base_url
    page = open_page(url, width=1280, height=860)
    page.locator(FOLDER).set_input_files(folder)
    step(page, "confirm")
    assert "24 photographs" in page.inner_text(".upload-panel")
    page.get_by_role("button", name="Upload").click()
    step(page, "pose")
    some = page.locator(".photo-grid li[data-state=placed]").nth(9)
    some.wait_for(state="attached", timeout=LONG_MS)
    shot(page, "pose")
    comes_to(page, "choose")
    report = page.get_by_label("What came of finding the cameras")
    expect(report).to_contain_text("24 of 24 photographs posed")
    expected = page.locator(".expectation")
    expect(expected).to_contain_text("background", timeout=LONG_MS)
    shot(page, "report")

    page.click("text=Cut the thing out")
    comes_to(page, "masks")
    expect(page.locator(".mask-thumbnail")).to_have_count(24)
    shot(page, "masks")
    page.click("text=Use 24 of 24 masks")
    comes_to(page, "choose")
    expect(page.locator(".mask-offer")).to_contain_text("24 masks will be used")
    expect(expected).to_contain_text("Framing", timeout=LONG_MS)
    expect(expected).not_to_contain_text("background")
    page.get_by_role("combobox", name="Views kept out").select_option("8")
    shot(page, "choose")
    page.click("text=Build the scene")
    comes_to(page, "ready")
    page.set_default_timeout(LONG_MS)
    page.click("text=Walk around")
    settled(page)
    shot(page, "walk")
    after(page, lambda: drag(page))
    shot(page, "dragged")
    page.keyboard.press("c")
    page.wait_for_selector(".compare[data-state=shown]")
    shot(page, "compare")

    (scene,) = httpx.get(f"{url}/v1/scenes").json()["items"]
    assert scene["posing"]["kind"] == "around"
    assert scene["held_out"]["render"]["psnr_db"] > 18
    assert (
        scene["held_out"]["render"]["psnr_db"]
        > scene["held_out"]["nearest"]["psnr_db"] + 2
    )
    inputs = httpx.get(f"{url}/v1/scenes/{scene['id']}/inputs").json()["items"]
    found = Camera.cat([camera_of(one["camera"]) for one in inputs])
    true = [known[Path(one["name"]).name] for one in inputs]
    sized = [
        replace(camera.to(dtype=torch.float64), height=SIDE, width=SIDE)
        for camera in true
    ]
    errors = pose_errors(found, Camera.cat(sized))
    assert errors.rotation_radians.max() < 0.01
    assert errors.center_relative.max() < 0.01
