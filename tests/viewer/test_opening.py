"""Opening a scene when something is in the way: a server that is gone for a moment,
three.js that does not start, a build under way."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.viewer.conftest import Fake, after, drag, settled


@pytest.mark.parametrize("what", [re.compile("/v1/scenes/[^/]+$"), "**/inputs"])
def test_a_server_that_is_gone_for_a_moment_is_asked_again(
    open_page: Callable[..., Page], fake: Fake, what: str | re.Pattern[str]
) -> None:
    page = open_page("about:blank")

    def refuse(route: Route) -> None:
        if "/v1/" in route.request.url:
            route.abort()
        else:
            route.continue_()

    page.route(what, refuse)
    page.goto(fake.scene_url)
    page.wait_for_selector("[data-state=unreachable]")
    page.unroute(what)
    settled(page)


def test_three_that_does_not_start_leaves_the_simple_controls(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page("about:blank")
    page.route("**/three.module.js", lambda route: route.abort())
    page.goto(fake.scene_url)
    settled(page)
    page.wait_for_selector("text=This browser has no WebGL")
    before = page.evaluate("() => location.hash")
    after(page, lambda: drag(page))
    assert page.evaluate("() => location.hash") != before


@pytest.mark.parametrize(
    ("final", "said"),
    [
        ("succeeded", "The new build is ready"),
        ("failed", "The new build came to nothing"),
    ],
)
def test_the_earlier_build_is_shown_while_there_is_a_new_one(
    open_page: Callable[..., Page], fake: Fake, final: str, said: str
) -> None:
    fake.service.hold("prepare")
    if final == "failed":
        fake.fail()
    fake.service.build(fake.scene, json={"size": 64})
    page = open_page(fake.scene_url)
    settled(page)
    expect(page.locator(".notices")).to_contain_text("A new build of this scene")
    fake.service.let_go("prepare")
    expect(page.locator(".notices")).to_contain_text(said)


READ_OUT = """() => {
    window.readOut = [];
    const observer = new MutationObserver((changes) => {
        for (const { target } of changes) {
            const node = target.nodeType === 1 ? target : target.parentElement;
            if (node?.closest('[aria-hidden=true]')) continue;
            const region = node?.closest('[role=status]');
            if (region) window.readOut.push(region.textContent);
        }
    });
    for (const region of document.querySelectorAll('.chip, .banner'))
        observer.observe(region, {childList: true, characterData: true, subtree: true});
}"""


@pytest.mark.slow
def test_a_lost_connection_is_read_out_once(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url)
    settled(page)
    page.evaluate(READ_OUT)
    fake.drop_streams()
    page.wait_for_selector(".banner >> text=(attempt 4)")
    read = page.evaluate("() => window.readOut")
    assert [text[:20] for text in read] == ["Connection lost", "The connection to th"]
