"""Looking closely: comparison, error map, snapshot, and the forms to copy."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from nvs.cameras import read_camera_path
from tests.fakes.backend import colour_of
from tests.viewer.conftest import Fake, after, colour_at, drag, ring_camera, settled


@pytest.fixture
def page(open_page: Callable[..., Page], fake: Fake) -> Page:
    page = open_page(fake.scene_url)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    settled(page)
    return page


def copied(page: Page, what: str) -> str:
    page.click("summary >> text=Copy")
    page.click(f"text={what}")
    page.wait_for_selector(".notice >> text=copied")
    return page.evaluate("() => navigator.clipboard.readText()")


def test_photograph_beside_the_render_from_its_camera(page: Page) -> None:
    photograph, render = (200, 0, 0), colour_of(ring_camera(0))
    page.keyboard.press("c")
    page.wait_for_selector(".compare[data-state=shown]")
    errors = [abs(a - b) / 255 for a, b in zip(photograph, render, strict=True)]
    mean_error = sum(errors) / 3
    assert f"mean error {mean_error:.3f}" in page.inner_text(".compare-bar")
    page.locator(".compare-slider").fill("25")
    clip = page.eval_on_selector(".compare canvas >> nth=1", "(c) => c.style.clipPath")
    assert clip == "inset(0px 0px 0px 25%)"
    page.click("text=Error map")
    expect(page.get_by_label("Map of the error")).to_be_visible()
    page.click("[title='Next input (.)']")
    expect(page.locator(".compare-name")).to_have_text("00001.png · 2 of 6")
    page.keyboard.press("Escape")
    expect(page.locator(".compare")).to_be_hidden()


@pytest.mark.slow
def test_a_scene_file_without_photographs_has_no_error_map(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url_of(fake.service.stored()))
    settled(page)
    page.click("text=Compare")
    page.wait_for_selector(".compare[data-state=shown]")
    expect(page.locator(".compare-note")).to_contain_text("no error map")
    expect(page.get_by_role("button", name="Error map")).to_be_disabled()


def test_error_map_numbers(page: Page) -> None:
    found = page.evaluate(
        """async () => {
            const m = await import('/viewer/js/walk/error-map.js');
            const a = new Uint8ClampedArray([255, 0, 0, 255, 0, 0, 0, 0]);
            const b = new Uint8ClampedArray([0, 0, 0, 255, 255, 255, 255, 255]);
            const { pixels, meanError, psnrDecibels } = m.errorMap(a, b);
            return [[...pixels], meanError, psnrDecibels];
        }"""
    )
    pixels, mean_error, psnr = found
    assert mean_error == pytest.approx(1 / 6)
    assert psnr == pytest.approx(7.781512503836436)
    assert pixels[4:] == [0, 0, 4, 255], "transparent is white, as the network sees it"


def test_snapshot_and_its_camera(page: Page, tmp_path: Path) -> None:
    after(page, lambda: drag(page))
    page.keyboard.press("p")
    page.wait_for_selector(".snapshot")
    with page.expect_download() as picture:
        page.click("dialog >> button:has-text('PNG')")
    with page.expect_download() as document:
        page.click("dialog >> text=Camera JSON")
    path = tmp_path / "camera.json"
    document.value.save_as(path)
    read = read_camera_path(path)
    assert (len(read.camera), read.camera.height, read.camera.width) == (1, 64, 96)
    image = Image.open(io.BytesIO(Path(picture.value.path()).read_bytes()))
    assert image.size == (96, 64)
    page.keyboard.press("Escape")
    given = json.loads(copied(page, "Camera as JSON"))
    size = {key: given.pop(key) for key in ("height", "width")}
    assert size == {"height": 64, "width": 96}
    assert image.getpixel((5, 5)) == colour_at(given)
    pose = read.camera.world_from_camera[0].tolist()
    assert pose[0] == pytest.approx(given["world_from_camera"][0], abs=1e-6)


def test_copied_command_renders_the_view(
    page: Page, fake: Fake, tmp_path: Path
) -> None:
    command = copied(page, "Render as curl")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    order = {"camera": ring_camera(0).model_dump(), "height": 64, "width": 96}
    answer = httpx.post(f"{fake.url}/v1/scenes/{fake.scene}/render", json=order)
    assert (tmp_path / "view.png").read_bytes() == answer.content


@pytest.mark.slow
def test_copied_program_renders_the_view(
    page: Page, fake: Fake, tmp_path: Path
) -> None:
    program = copied(page, "Render as Python")
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert Image.open(tmp_path / "view.png").size == (96, 64)
    assert "NVS_KEY" not in program


@pytest.mark.slow
def test_keys_are_never_part_of_what_is_copied(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    key = fake.service.key()
    page = open_page(fake.scene_url)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.fill("#key", key)
    page.click("text=Continue")
    settled(page)
    command = copied(page, "Render as curl")
    assert key not in command
    assert '"Authorization: Bearer $NVS_KEY"' in command
