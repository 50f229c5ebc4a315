"""The whole way on a phone: 390 pixels wide, by touch alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import CDPSession, Page, expect

from tests.viewer.conftest import Fake, after, settled
from tests.viewer.test_axe_scenes import check
from tests.viewer.test_scenes import step

WIDTH, HEIGHT, FINGER_PX = 390, 844, 44
TOO_SMALL = """(least) => [...document.querySelectorAll(
    'button, a, input, select, textarea, summary, [role=slider]'
)].flatMap((node) => {
    if (!node.checkVisibility({ visibilityProperty: true })) return [];
    if (node.closest('.notices')) return [];
    const target = node.closest('label.check, .mask-thumbnail')
        ?? (node.matches('.card-link') ? node.closest('.card') : node);
    const { width, height } = target.getBoundingClientRect();
    const isHidden = node.matches('.skip-link') || width * height === 0;
    const isSmall = Math.min(width, height) < least - 0.5;
    return isHidden || !isSmall
        ? [] : [`${node.outerHTML.slice(0, 120)}: ${width} x ${height}`];
})"""


def fits(page: Page, where: str) -> None:
    """Nothing is cut off, nothing too small for a finger, nobody kept out."""
    assert page.evaluate("matchMedia('(pointer: coarse)').matches"), where
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, where
    assert page.evaluate(TOO_SMALL, FINGER_PX) == [], where
    check(page, where)


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    places = [{"x": x, "y": y} for x, y in points]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.slow
def test_from_the_camera_roll_to_a_walk_by_touch(
    open_page: Callable[..., Page],
    fake: Fake,
    tmp_path: Path,
    shot: Callable[..., None],
) -> None:
    photographs = [tmp_path / f"IMG_{index:04}.JPG" for index in range(6)]
    for index, file in enumerate(photographs):
        Image.new("RGB", (40, 30), (40 * index, 90, 30)).save(file, "JPEG")
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    page = open_page(fake.url, width=WIDTH, height=HEIGHT, **phone)
    session = page.context.new_cdp_session(page)
    page.wait_for_selector(".drop-zone")
    fits(page, "scenes")
    shot(page, "phone-scenes", full_page=False)
    with page.expect_file_chooser() as chosen:
        page.get_by_role("button", name="Photos or a video").tap()
    assert chosen.value.element.get_attribute("accept") == "image/*,video/*"
    assert chosen.value.is_multiple()
    chosen.value.set_files(photographs)
    step(page, "confirm")
    fits(page, "confirm")
    fake.service.hold("mapping")
    page.get_by_role("button", name="Upload").tap()
    step(page, "pose")
    expect(page.locator(".photo-grid li[data-state=placed]")).to_have_count(3)
    fits(page, "pose")
    shot(page, "phone-pose", full_page=False)
    fake.service.let_go("mapping")
    step(page, "choose")
    fits(page, "choose")
    shot(page, "phone-choose", full_page=False)
    page.get_by_text("Cut the thing out").tap()
    step(page, "masks")
    fits(page, "masks")
    shot(page, "phone-masks", full_page=False)
    page.get_by_text("Use 5 of 6 masks").tap()
    step(page, "choose")
    page.get_by_text("Build the scene").tap()
    step(page, "ready")
    fits(page, "ready")
    page.get_by_text("Walk around").tap()
    settled(page)
    fits(page, "walk")
    shot(page, "phone-walk", full_page=False)

    x, y = middle(page, ".frame")

    def look() -> None:
        touch(session, "touchStart", (x, y))
        for shift in range(10, 70, 10):
            touch(session, "touchMove", (x + shift, y))
        touch(session, "touchEnd")

    def walk() -> None:
        touch(session, "touchStart", middle(page, "[title='Walk forward']"))
        page.wait_for_timeout(200)
        touch(session, "touchEnd")

    for action in (look, walk):
        before = page.evaluate("location.hash")
        after(page, action)
        assert page.evaluate("location.hash") != before
    still = page.evaluate("location.hash")
    page.wait_for_timeout(200)
    assert page.evaluate("location.hash") == still, "it walks while it is held"
