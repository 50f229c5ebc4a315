"""Comparisons that are cancelled or fail while they load."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.viewer.conftest import Fake, after, drag, ring_camera, settled
from tests.viewer.test_walking import eye


@pytest.fixture
def page(open_page: Callable[..., Page], fake: Fake) -> Page:
    page = open_page(fake.scene_url)
    settled(page)
    return page


HOLD_RENDERS = """() => {
    const { fetch } = window;
    window.held = [];
    window.fetch = (...order) =>
        String(order[0]).endsWith("/render")
            ? new Promise((answer) => {
                  held.push(() => {
                      const answered = fetch(...order);
                      answer(answered);
                      return answered;
                  });
              })
            : fetch(...order);
}"""
"""Renders wait until they are let go. Done in the page: a request right after
`page.route` can slip past it on a busy machine."""


def let_go(page: Page) -> None:
    page.evaluate("async () => { await Promise.all(held.map((go) => go())); }")
    page.wait_for_timeout(300)


@pytest.mark.parametrize("by", ["Escape", "c", "moving"])
def test_a_comparison_is_cancelled_while_it_loads(page: Page, by: str) -> None:
    page.evaluate(HOLD_RENDERS)
    page.keyboard.press("c")
    page.wait_for_function("() => held.length")
    if by == "moving":
        after(page, lambda: drag(page))
        assert np.abs(eye(page) - [2.5, 0, 0]).max() > 0.1
    else:
        page.keyboard.press(by)
    let_go(page)
    expect(page.locator(".compare")).to_be_hidden()


def test_a_step_that_fails_leaves_everything_where_it_was(page: Page) -> None:
    page.keyboard.press("c")
    page.wait_for_selector(".compare[data-state=shown]")
    page.route("**/render", lambda route: route.abort())

    def step_in_vain() -> None:
        page.keyboard.press(".")
        page.wait_for_selector(".notice-problem")

    after(page, step_in_vain)
    expect(page.locator(".compare-name")).to_have_text("00000.png · 1 of 6")
    np.testing.assert_allclose(eye(page), [2.5, 0, 0], atol=1e-6)
    page.unroute("**/render")
    after(page, lambda: page.keyboard.press("."))
    expect(page.locator(".compare-name")).to_have_text("00001.png · 2 of 6")
    expected = np.array(ring_camera(1).world_from_camera)
    np.testing.assert_allclose(eye(page), expected[:3, 3], atol=1e-6)
