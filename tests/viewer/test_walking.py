"""Moving the camera: orbit, fly, keys, input cameras, lens, up axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.viewer.conftest import Fake, after, drag, ring_camera, settled


def fragment(page: Page) -> dict[str, list[float]]:
    """The camera in the address; without the mode, which is no number."""
    parts = parse_qs(urlsplit(page.url).fragment)
    return {
        key: [float(value) for value in text.split(",")]
        for key, (text,) in parts.items()
        if key != "m"
    }


def eye(page: Page) -> np.ndarray[Any, Any]:
    return np.array(fragment(page)["p"])


def hold(page: Page, key: str) -> None:
    page.keyboard.down(key)
    page.evaluate("() => new Promise((done) => setTimeout(done, 150))")
    page.keyboard.up(key)


@pytest.fixture
def page(open_page: Callable[..., Page], fake: Fake) -> Page:
    page = open_page(fake.scene_url)
    settled(page)
    return page


def test_it_starts_at_the_first_input_camera(page: Page) -> None:
    np.testing.assert_allclose(eye(page), [2.5, 0, 0], atol=1e-6)
    assert page.get_attribute(".input-button >> nth=0", "aria-current") == "true"


def test_dragging_orbits_at_the_same_distance(page: Page) -> None:
    after(page, lambda: drag(page))
    assert np.linalg.norm(eye(page)) == pytest.approx(2.5, rel=1e-3)
    assert np.abs(eye(page) - [2.5, 0, 0]).max() > 0.2


def test_the_wheel_comes_closer(page: Page) -> None:
    page.hover(".frame")
    after(page, lambda: page.mouse.wheel(0, -300))
    assert np.linalg.norm(eye(page)) < 2.4


@pytest.mark.slow
def test_keys_walk_turn_and_change_the_lens(page: Page) -> None:
    after(page, lambda: hold(page, "w"))
    forward = eye(page)
    assert forward[0] < 2.45
    np.testing.assert_allclose(forward[1:], 0, atol=1e-6)
    after(page, lambda: hold(page, "d"))
    assert eye(page)[1] > 0.05
    after(page, lambda: hold(page, "e"))
    assert eye(page)[2] > 0.05
    fov = fragment(page)["f"][0] if "f" in fragment(page) else 43.6
    after(page, lambda: hold(page, "]"))
    assert fragment(page)["f"][0] > fov
    before = eye(page)
    after(page, lambda: hold(page, "ArrowLeft"))
    assert np.abs(eye(page) - before).max() > 0.05


def test_fly_mode_looks_around_on_the_spot(page: Page) -> None:
    page.keyboard.press("f")
    assert page.get_attribute("[data-mode=fly]", "aria-pressed") == "true"
    before = fragment(page)
    after(page, lambda: drag(page))
    np.testing.assert_allclose(eye(page), before["p"], atol=1e-6)
    assert np.abs(np.array(fragment(page)["q"]) - before["q"]).max() > 0.02


def test_a_click_on_a_frustum_flies_to_that_very_camera(page: Page) -> None:
    """The camera opposite is seen in the middle of the picture."""
    box = page.locator(".frame").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.wait_for_selector("text=Input 4: 00003.png")
    after(page, lambda: page.mouse.click(x, y))
    expected = np.array(ring_camera(3).world_from_camera)
    np.testing.assert_allclose(eye(page), expected[:3, 3], atol=1e-6)
    assert page.get_attribute(".input-button >> nth=3", "aria-current") == "true"


@pytest.mark.slow
def test_input_buttons_and_home(page: Page) -> None:
    after(page, lambda: page.click(".input-button >> nth=2"))
    expected = np.array(ring_camera(2).world_from_camera)
    np.testing.assert_allclose(eye(page), expected[:3, 3], atol=1e-6)
    after(page, lambda: page.keyboard.press("."))
    np.testing.assert_allclose(eye(page), [-2.5, 0, 0], atol=1e-6)
    after(page, lambda: page.keyboard.press("h"))
    np.testing.assert_allclose(eye(page), [2.5, 0, 0], atol=1e-6)


@pytest.mark.slow
def test_the_up_axis_can_be_chosen(page: Page) -> None:
    after(page, lambda: page.get_by_label("Up axis").select_option("y"))
    assert fragment(page)["u"] == [0, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize(("trained", "large"), [(64, [96, 128, 192]), (None, [])])
def test_sizes_far_above_the_training_are_marked(
    page: Page, trained: int | None, large: list[int]
) -> None:
    scene = {"height": 64, "width": 96}
    model = {"patch_size": 8, "max_height": 200, "max_width": 512}
    model |= {"trained_height": trained, "trained_width": trained}
    sizes = page.evaluate(
        """async ([scene, model]) => {
            const { fullSizes } = await import('/viewer/js/walk/camera-panel.js');
            return fullSizes(scene, model);
        }""",
        [scene, model],
    )
    assert [size["height"] for size in sizes] == [32, 64, 96, 128, 192]
    assert [size["height"] for size in sizes if size["isLarge"]] == large


def test_the_flight_is_smooth_unless_calm_is_preferred(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url, reduced_motion="no-preference")
    settled(page)
    page.evaluate(
        """() => {
            window.seen = 0;
            const frame = document.querySelector('.frame');
            new MutationObserver(() => { window.seen += 1; })
                .observe(frame, {attributeFilter: ['data-sequence']});
        }"""
    )
    after(page, lambda: page.click(".input-button >> nth=1"))
    assert page.evaluate("() => window.seen") > 3
    expected = np.array(ring_camera(1).world_from_camera)
    np.testing.assert_allclose(eye(page), expected[:3, 3], atol=1e-6)


def test_a_rolled_camera_is_shown_as_it_is_and_levels_in_motion(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    """Half a turn about the viewing direction, as of a camera held upside down."""
    upside_down = "#p=2.5,0,0&q=0.5,-0.5,-0.5,0.5&f=40&u=0,0,1&m=orbit"
    page = open_page(fake.scene_url + upside_down)
    settled(page)
    q = np.abs(fragment(page)["q"])
    np.testing.assert_allclose(q, 0.5, atol=1e-6)
    after(page, lambda: drag(page))
    assert "u" in fragment(page)
    x, y, z, w = fragment(page)["q"]
    right_z, down_z = 2 * (x * z - y * w), 2 * (y * z + x * w)
    assert right_z == pytest.approx(0, abs=1e-6)
    assert down_z < 0


@pytest.mark.slow
def test_help_lists_the_keys(page: Page) -> None:
    page.keyboard.press("?")
    text = page.inner_text("dialog")
    for word in ("walk forward", "compare with the nearest photograph", "pinch"):
        assert word in text
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


@pytest.mark.slow
def test_pinching_comes_closer(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page(fake.scene_url, width=390, height=844, has_touch=True)
    settled(page)
    box = page.locator(".frame").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *offsets: float) -> None:
        points = [{"x": x + dx, "y": y, "id": i} for i, dx in enumerate(offsets)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def pinch() -> None:
        touch("touchStart", -20, 20)
        for spread in range(20, 90, 5):
            touch("touchMove", -spread, spread)
            page.evaluate("() => new Promise(requestAnimationFrame)")
        touch("touchEnd")

    after(page, pinch)
    assert np.linalg.norm(eye(page)) < 2.3
