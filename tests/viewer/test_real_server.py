"""The page on the real `nvs serve` with the weights and the capture of the package."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from nvs.assets import SAMPLE
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore
from tests.served import Served
from tests.viewer.conftest import after, drag, settled
from tests.viewer.test_stream import Messages

BUILD_MS = 120_000
RECORD_BANNERS = """() => {
    const banner = document.querySelector('.banner');
    window.banners = [];
    new MutationObserver(() => window.banners.push(banner.dataset.state))
        .observe(banner, {attributeFilter: ['data-state']});
}"""


def build_sample(page: Page) -> None:
    """Uploads the package's capture and builds it, as a user does."""
    page.locator("input[webkitdirectory]").set_input_files(SAMPLE)
    page.get_by_label("Name").fill("chicken")
    page.click(".upload-panel >> text=Upload")
    page.get_by_role("combobox", name="Picture size").select_option("64")
    page.get_by_role("slider", name="Views").fill("8")
    page.click("text=Build the scene")
    page.wait_for_selector(".upload-panel[data-step=ready]", timeout=BUILD_MS)


def test_from_an_empty_server_to_a_video(
    open_page: Callable[..., Page], serve: Callable[..., Served], tmp_path: Path
) -> None:
    url = serve().base_url
    page = open_page("about:blank")
    messages = Messages(page)
    page.goto(url)
    page.wait_for_selector("text=No scenes yet")
    build_sample(page)
    assert "24 posed images" not in page.inner_text(".cards")
    card = page.locator(".card")
    expect(card).to_contain_text("64 × 64, 8 views")
    page.click("text=Walk around")
    settled(page)
    scene_id = page.url.split("/scenes/")[1][:26]
    scene = f"{url}/v1/scenes/{scene_id}"

    after(page, lambda: drag(page))
    order = dict(messages.sent[-1])
    del order["sequence"]
    answer = httpx.post(f"{scene}/render", json=order, timeout=60)
    header, picture = messages.picture(-1)
    assert (header["height"], header["width"], header["format"]) == (64, 64, "png")
    assert picture == answer.content
    after(page, lambda: page.click(".input-button >> nth=3"))
    camera = httpx.get(f"{scene}/inputs").json()["items"][3]["camera"]
    sent = messages.sent[-1]["camera"]
    assert sent["fx"] == pytest.approx(camera["fx"])
    for row, expected in zip(
        sent["world_from_camera"], camera["world_from_camera"], strict=True
    ):
        assert row == pytest.approx(expected, abs=1e-9)

    page.keyboard.press("c")
    page.wait_for_selector(".compare[data-state=shown]")
    bar = page.inner_text(".compare-bar")
    psnr = re.search(r"([\d.]+) dB", bar)
    assert psnr
    photograph = pixels(httpx.get(f"{scene}/inputs/3").content)
    rendered = pixels(answer_to(scene, camera))
    assert float(psnr[1]) == pytest.approx(psnr_of(photograph, rendered), abs=0.06)
    page.keyboard.press("Escape")

    page.keyboard.press("p")
    page.wait_for_selector(".snapshot")
    with page.expect_download() as download:
        page.click("dialog >> button:has-text('PNG')")
    assert Path(download.value.path()).read_bytes() == messages.picture(-1)[1]
    page.keyboard.press("Escape")

    page.keyboard.press("k")
    after(page, lambda: page.keyboard.press("."))
    page.keyboard.press("k")
    page.get_by_label("Length").fill("0.5")
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name="Rate").select_option("12")
    page.click("text=Make mp4")
    page.wait_for_selector(".job [data-state=succeeded]", timeout=BUILD_MS)
    with page.expect_download() as download:
        page.click(".job >> text=Save")
    video = tmp_path / "path.mp4"
    download.value.save_as(video)
    assert imageio.imread(video, plugin="FFMPEG").shape == (7, 64, 64, 3)


def answer_to(scene: str, camera: dict[str, object]) -> bytes:
    order = {"camera": camera, "height": 64, "width": 64, "format": "png"}
    return httpx.post(f"{scene}/render", json=order, timeout=60).content


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def psnr_of(a: Image.Image, b: Image.Image) -> float:
    difference = np.asarray(a, float) / 255 - np.asarray(b, float) / 255
    return float(-10 * np.log10((difference**2).mean()))


@pytest.mark.slow
def test_killed_server_full_queue_and_revoked_key(
    open_page: Callable[..., Page], serve: Callable[..., Served], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'nvs.sqlite'}")
    database.migrate()
    keys = KeyStore(database)
    scopes = ("read", "write", "render")
    key, secret = keys.create(name="laptop", owner="ada", scopes=scopes)

    first = serve(max_render_queue=1)
    page = open_page(first.base_url)
    page.fill("#key", secret)
    page.click("text=Continue")
    build_sample(page)
    page.click("text=Walk around")
    settled(page)

    page.evaluate(RECORD_BANNERS)
    after(page, lambda: drag(page, 20))
    assert "queue-full" in page.evaluate("() => window.banners")
    expect(page.locator(".banner")).to_be_hidden()
    view = page.evaluate("() => location.hash")
    port = int(first.base_url.rsplit(":", 1)[1])
    first.process.kill()
    first.process.wait()
    page.wait_for_selector(".chip[data-state=waiting]")
    serve(port=port)
    page.wait_for_selector(".chip[data-state=open]")
    settled(page)
    assert page.evaluate("() => location.hash") == view

    keys.revoke(key.id)
    page.evaluate("() => location.reload()")
    page.wait_for_selector("dialog >> text=The key is not valid")
    database.dispose()
