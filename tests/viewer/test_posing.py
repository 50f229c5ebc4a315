"""Photographs and videos without cameras, from the drop to the built scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from nvs.errors import DatasetError
from nvs_server.compute.orders import PoseOrder
from tests.fakes.api import picture
from tests.viewer.conftest import Fake
from tests.viewer.test_scenes import FILES, FOLDER, step
from tests.viewer.test_uploads import upload

PHOTOGRAPHS = {f"{name}.png": picture(shade) for shade, name in enumerate("abc")}
VIDEO = {"walk.mov": b"a video"}


def serious(page: Page) -> list[object]:
    """What axe finds that keeps people out."""
    found = Axe().run(page).response["violations"]
    return [one for one in found if one["impact"] in ("serious", "critical")]


def posed(fake: Fake) -> int:
    return len(fake.sent("POST .*/pose"))


@pytest.mark.parametrize("width", [1000, 390])
@pytest.mark.parametrize("files", [PHOTOGRAPHS, VIDEO])
def test_what_has_no_cameras_is_posed_and_built(
    open_page: Callable[..., Page], fake: Fake, files: dict[str, bytes], width: int
) -> None:
    page = open_page(fake.url, width=width)
    fake.service.hold("matching")
    page.locator(FILES).set_input_files(
        [{"name": name, "mimeType": "", "buffer": data} for name, data in files.items()]
    )
    step(page, "confirm")
    assert "cameras" in page.inner_text(".upload-panel")
    page.get_by_role("button", name="Upload").click()
    step(page, "pose")
    expect(page.locator(".upload-panel")).to_contain_text("matching")
    fake.service.let_go("matching")
    step(page, "choose")
    report = page.get_by_label("What came of finding the cameras")
    expect(report).to_contain_text("posed")
    expect(report).to_contain_text("images/0007.jpg was left out: matches no other")
    expect(report).to_contain_text("reprojection error 0.62 pixels")
    assert serious(page) == []
    page.click("text=Build the scene")
    step(page, "ready")
    assert posed(fake) == 1


@pytest.mark.parametrize("width", [1000, 390])
def test_posing_is_seen_as_it_goes_on(
    open_page: Callable[..., Page],
    fake: Fake,
    width: int,
    shot: Callable[[Page, str], None],
) -> None:
    page = open_page(fake.url, width=width)
    fake.service.hold("mapping")
    others = {"d.png": picture(9), "foreign.png": picture(200)}
    upload(page, PHOTOGRAPHS | others)
    step(page, "pose")
    card = page.locator(".card", has_text="5 images")
    expect(card.locator(".badge")).to_have_text("finding cameras")
    now = page.locator(".stages [aria-current=step]")
    expect(now).to_have_text("mapping")
    photographs = page.locator(".photo-grid li")
    expect(photographs).to_have_count(5)
    expect(page.locator(".photo-grid li[data-state=placed]")).to_have_count(2)
    photographs.first.scroll_into_view_if_needed()
    expect(photographs.first.locator("canvas")).to_have_js_property("width", 144)
    cameras = page.locator(".cameras-canvas")
    expect(cameras).to_have_attribute("data-count", "2")
    shot(page, f"posing-{width}")
    before = cameras.screenshot()
    cameras.focus()
    page.keyboard.press("ArrowLeft")
    assert cameras.screenshot() != before, "turned, and there is something to see"
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    fake.service.let_go("mapping")
    step(page, "choose")
    left_out = page.locator(".photo-grid li[data-state=left-out]")
    expect(left_out).to_have_text("foreign.png: matches no other photograph")
    expect(page.locator(".photo-grid li[data-state=placed]")).to_have_count(4)
    expect(page.locator(".posing-view")).to_contain_text(
        "4 of 5 photographs placed, 1 left out"
    )
    shot(page, f"posed-{width}")


def test_posing_that_fails_or_is_cancelled_can_be_tried_again(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.service.backend.errors["mapping"] = [
        DatasetError("0 pairs match", remedy="Take more.")
    ]
    page = open_page(fake.url)
    upload(page, PHOTOGRAPHS)
    step(page, "failed")
    assert "0 pairs match\n\nTake more." in page.inner_text(".upload-panel")
    fake.service.hold("features")
    page.click("text=Try again")
    step(page, "pose")
    expect(page.locator(".upload-panel")).to_contain_text("features")
    page.click(".upload-panel >> text=Cancel")
    step(page, "failed")
    fake.service.let_go("features")
    page.click("text=Try again")
    step(page, "choose")
    assert posed(fake) == 3


@pytest.mark.parametrize("width", [1000, 390])
def test_masks_are_made_looked_at_and_used(
    open_page: Callable[..., Page], fake: Fake, width: int
) -> None:
    page = open_page(fake.url, width=width)
    upload(page, PHOTOGRAPHS)
    step(page, "choose")
    fake.service.hold("mask")
    page.click("text=Cut the thing out")
    step(page, "mask")
    expect(page.locator(".upload-panel")).to_contain_text("cutting out")
    fake.service.let_go("mask")
    step(page, "masks")
    ticks = page.get_by_role("checkbox")
    expect(ticks).to_have_count(3)
    assert [tick.is_checked() for tick in ticks.all()] == [False, True, True]
    expect(page.locator(".mask-doubt")).to_have_text("unlike the others")
    for image in page.locator(".mask-thumbnail img").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("naturalWidth", 32)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("checkbox", name="b.png").press("Space")  # by keys
    page.click("text=Choose all")
    page.get_by_label("a.png").uncheck()
    page.click("text=Use 2 of 3 masks")
    step(page, "choose")
    expect(page.locator(".mask-offer")).to_contain_text("2 masks will be used")
    page.click("text=Build the scene")
    step(page, "ready")
    masks = {name for name in fake.service.backend.datasets[-1] if "mask" in name}
    assert masks == {"masks/b.png.png", "masks/c.png.png"}


def test_masks_beside_photographs_are_sent_and_counted_apart(
    open_page: Callable[..., Page], fake: Fake, tmp_path: Path
) -> None:
    folder = tmp_path / "vase"
    (folder / "masks").mkdir(parents=True)
    for name, data in PHOTOGRAPHS.items():
        (folder / name).write_bytes(data)
        (folder / "masks" / name).write_bytes(data)
    page = open_page(fake.url)
    page.locator(FOLDER).set_input_files(folder)
    step(page, "confirm")
    expect(page.locator(".upload-panel")).to_contain_text("3 photographs with 3 masks")
    page.get_by_role("button", name="Upload").click()
    step(page, "choose")
    expect(page.locator(".card", has_text="vase")).to_contain_text("3 images, 3 masks")
    (order,) = [
        one for one in fake.service.backend.orders if isinstance(one, PoseOrder)
    ]
    assert set(order.masks) == {f"masks/{name}" for name in PHOTOGRAPHS}


def test_masks_are_decided_on_after_the_page_was_left(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    scene_id = fake.posed("left")
    job = fake.service.call("POST", f"/v1/scenes/{scene_id}/masks").json()
    assert fake.service.ended(job["id"])["state"] == "succeeded"
    page = open_page(fake.url)
    page.click("[aria-label='Actions for left']")
    page.click("text=Check and build")
    step(page, "masks")
    page.click("text=Choose none")
    page.click("text=Use no masks")
    step(page, "choose")
    expect(page.locator(".mask-offer")).to_contain_text("can be cut away")
