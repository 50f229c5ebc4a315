"""Keys on other keyboards, keys of something else, and where the focus goes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.viewer.conftest import Fake, after, settled
from tests.viewer.test_walking import hold

HOLD = """async (typed) => {
    const [{ HeldKeys }, { View }] = await Promise.all([
        import('/viewer/js/walk/keys.js'), import('/viewer/js/walk/view.js'),
    ]);
    const pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -2], [0, 0, 0, 1]];
    const lens = {fx: 1, fy: 1, cx: 0.5, cy: 0.5};
    const survey = {up: [0, -1, 0], focus: [0, 0, 0], radius: 2};
    const view = new View({pose, lens, aspect: 1, survey});
    const keys = new HeldKeys({view, getMode: () => 'orbit'});
    const fire = (kind, key) =>
        document.body.dispatchEvent(new KeyboardEvent(kind, {...key, bubbles: true}));
    fire('keydown', typed);
    keys.update(0.1);
    const moved = view.pose[2][3] + 2;
    const widened = view.fovDegrees;
    fire('keyup', {...typed, key: 'Shift'});
    keys.update(0.1);
    return {moved, widened, goesOn: view.pose[2][3] + 2 !== moved};
}"""


@pytest.fixture
def page(open_page: Callable[..., Page], fake: Fake) -> Page:
    page = open_page(fake.scene_url)
    settled(page)
    return page


def test_signs_go_by_what_is_typed(page: Page) -> None:
    """On a German keyboard + stands where [ ] and / are elsewhere."""
    american = page.evaluate(HOLD, {"key": "=", "code": "Equal"})
    shifted = page.evaluate(HOLD, {"key": "+", "code": "Equal", "shiftKey": True})
    german = page.evaluate(HOLD, {"key": "+", "code": "BracketRight"})
    minus = page.evaluate(HOLD, {"key": "-", "code": "Slash"})
    assert american["moved"] > 0
    assert shifted == german == american
    assert minus["moved"] < 0
    assert not american["goesOn"]


def test_walking_goes_by_the_place_of_the_key(page: Page) -> None:
    french = page.evaluate(HOLD, {"key": "z", "code": "KeyW"})
    american = page.evaluate(HOLD, {"key": "w", "code": "KeyW"})
    fast = page.evaluate(HOLD, {"key": "W", "code": "KeyW", "shiftKey": True})
    assert french == american
    assert fast["moved"] == pytest.approx(4 * american["moved"])


def test_a_video_keeps_its_keys(page: Page) -> None:
    page.keyboard.press("k")
    after(page, lambda: page.keyboard.press("."))
    page.keyboard.press("k")
    page.click("text=Make mp4")
    page.wait_for_selector(".job video")
    after(page, lambda: page.focus(".key >> nth=0"))
    before = page.evaluate("() => location.hash")
    page.focus(".job video")
    page.keyboard.press(" ")
    page.wait_for_timeout(300)
    expect(page.get_by_title("Play (Space)")).to_be_visible()
    hold(page, "ArrowLeft")
    page.wait_for_timeout(500)
    assert page.evaluate("() => location.hash") == before


def test_deleting_a_key_gives_the_focus_to_its_neighbour(page: Page) -> None:
    page.keyboard.press("k")
    for _ in range(2):
        after(page, lambda: page.keyboard.press("."))
        page.keyboard.press("k")
    page.focus(".key >> nth=1")
    for name in ("Key 2", "Key 1", "Add this view as a key (K)"):
        page.keyboard.press("Delete")
        focused = page.evaluate(
            "() => document.activeElement.getAttribute('aria-label')"
            " ?? document.activeElement.title"
        )
        assert focused == name
