"""Flights and played paths that begin while the camera still swings out, clicks that
are none, and the up axis after a flight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.viewer.conftest import Fake, after, settled
from tests.viewer.test_walking import eye, fragment


@pytest.fixture
def page(open_page: Callable[..., Page], fake: Fake) -> Page:
    page = open_page(fake.scene_url, reduced_motion="no-preference")
    settled(page)
    return page


SWING_THEN_PRESS = """(key) => {
    const frame = document.querySelector('.frame');
    frame.querySelector('.overlay').dispatchEvent(
        new WheelEvent('wheel', {deltaY: -500, bubbles: true, cancelable: true}));
    frame.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
}"""


def test_a_flight_is_not_ended_by_a_camera_that_swings_out(page: Page) -> None:
    after(page, lambda: page.keyboard.press("."))
    after(page, lambda: page.evaluate(SWING_THEN_PRESS, "h"))
    np.testing.assert_allclose(eye(page), [2.5, 0, 0], atol=1e-6)


def test_a_path_is_not_ended_by_a_camera_that_swings_out(page: Page) -> None:
    page.keyboard.press("k")
    after(page, lambda: page.keyboard.press("."))
    page.keyboard.press("k")
    after(page, lambda: page.focus(".key >> nth=0"))
    page.evaluate(SWING_THEN_PRESS, " ")
    expect(page.locator(".clock")).to_have_text("2.0 s")


def touch(session: CDPSession, kind: str, *points: dict[str, float]) -> None:
    event = {"type": kind, "touchPoints": list(points)}
    session.send("Input.dispatchTouchEvent", event)


@pytest.mark.parametrize("by", ["right button", "two fingers"])
def test_only_a_plain_click_flies_to_a_frustum(
    open_page: Callable[..., Page], fake: Fake, by: str
) -> None:
    page = open_page(fake.scene_url, has_touch=by == "two fingers")
    settled(page)
    box = page.locator(".frame").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if by == "right button":
        page.mouse.click(x, y, button="right")
    else:
        session = page.context.new_cdp_session(page)
        first, second = ({"x": x + dx, "y": y, "id": dx} for dx in (60, 0))
        touch(session, "touchStart", first)
        touch(session, "touchStart", first, second)
        touch(session, "touchMove", first)
        touch(session, "touchEnd")
    page.wait_for_timeout(500)
    np.testing.assert_allclose(eye(page), [2.5, 0, 0], atol=1e-6)


def test_the_up_axis_shown_is_the_one_after_home(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url)
    settled(page)
    up = page.get_by_label("Up axis")
    after(page, lambda: up.select_option("y"))
    assert up.input_value() == "y"
    after(page, lambda: page.keyboard.press("h"))
    assert fragment(page)["u"] == [0, 0, 1]
    assert up.input_value() == "auto"
