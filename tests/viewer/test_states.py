"""Everything that can be in the way, and small, calm and plain browsers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from nvs_server.edge.problems import Problem
from tests.viewer.conftest import Fake, after, drag, settled


def test_no_key_then_a_wrong_one_then_the_right_one(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    key = fake.service.key()
    page = open_page(fake.url)
    assert "This server asks for a key" in page.inner_text("dialog")
    page.fill("#key", "nvs_wrong")
    page.click("text=Continue")
    page.wait_for_selector("text=does not know this key")
    page.fill("#key", key)
    page.click("text=Continue")
    page.wait_for_selector(".card")
    assert page.evaluate("() => sessionStorage.getItem('nvs-key')") == key
    assert page.evaluate("() => localStorage.length") == 0
    page.click("text=Sign out")
    page.wait_for_selector("dialog")
    assert page.evaluate("() => sessionStorage.length") == 0


@pytest.mark.slow
def test_a_key_is_remembered_when_asked_to(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    key = fake.service.key()
    page = open_page(fake.url)
    page.fill("#key", key)
    page.check("text=Remember on this device")
    page.click("text=Continue")
    page.wait_for_selector(".card")
    assert page.evaluate("() => localStorage.getItem('nvs-key')") == key


@pytest.mark.slow
def test_a_revoked_key_is_asked_for_again_and_the_view_stays(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    key = fake.service.key()
    page = open_page(fake.scene_url)
    page.fill("#key", key)
    page.click("text=Continue")
    settled(page)
    after(page, lambda: drag(page))
    other = fake.service.key()
    drag(page)
    page.wait_for_selector("dialog >> text=The key is not valid")
    view = page.evaluate("() => location.hash")
    page.fill("#key", other)
    page.click("text=Continue")
    page.wait_for_selector(".chip[data-state=open]")
    settled(page)
    assert page.evaluate("() => location.hash") != view, "it goes on where it was moved"


def test_full_queue_is_said_and_asked_again(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    refusals = fake.service.backend.errors["render"]
    refusals += [Problem("queue-full")] * 1000
    page = open_page(fake.scene_url)
    page.wait_for_selector(".banner[data-state=queue-full]")
    assert "Asking again" in page.inner_text(".banner")
    refusals.clear()
    settled(page)
    expect(page.locator(".banner")).to_be_hidden()


@pytest.mark.slow
def test_no_place_for_another_stream(
    open_page: Callable[..., Page], fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake.service.state.admission, "max_streams", 0)
    page = open_page(fake.scene_url)
    page.wait_for_selector(".chip[data-state=busy]")
    assert "no place for another stream" in page.inner_text(".banner")
    monkeypatch.undo()
    settled(page)


def test_scene_still_building_opens_by_itself(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url_of(fake.building()))
    page.wait_for_selector("[data-state=building] >> text=prefill")
    assert "ring is being built" in page.inner_text("main")
    fake.service.let_go("build")
    settled(page)


def test_failed_scene_says_why_and_can_be_built_again(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.url_of(fake.failed()))
    page.wait_for_selector("[data-state=failed]")
    text = page.inner_text("main")
    assert "The cameras disagree." in text
    assert "Pose them again." in text
    page.click("text=Build again")
    settled(page)
    assert fake.sent("POST .*/build")[-1].json["weights"] == "fake"


@pytest.mark.slow
def test_scene_that_is_not_there(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page(fake.url_of("a" * 26))
    page.wait_for_selector("text=There is no such scene")
    assert "belongs to another key" in page.inner_text("main")


@pytest.mark.parametrize("address", ["nothere", "nothere/", "a/b"])
def test_an_address_that_no_scene_can_have(
    open_page: Callable[..., Page], fake: Fake, address: str
) -> None:
    page = open_page(f"{fake.url}/scenes/{address}")
    page.wait_for_selector("text=There is no such scene")
    page.click("text=All scenes")
    page.wait_for_selector(".card")


def test_server_gone_at_the_start(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page("about:blank")
    page.route("**/v1/**", lambda route: route.abort())
    page.goto(fake.url)
    page.wait_for_selector("[data-state=unreachable]")
    assert "nvs serve" in page.inner_text("main")
    page.unroute("**/v1/**")
    page.click("text=Try now")
    page.wait_for_selector(".card")


def test_without_webgl_frames_and_simple_controls(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page("about:blank")
    page.add_init_script(
        """const get = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest);
        };"""
    )
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.goto(fake.scene_url)
    settled(page)
    page.wait_for_selector("text=This browser has no WebGL")
    assert not [url for url in loaded if "/vendor/" in url]
    before = page.evaluate("() => location.hash")
    after(page, lambda: drag(page))
    orbited = page.evaluate("() => location.hash")
    assert orbited != before
    after(page, lambda: page.mouse.wheel(0, 200))
    assert page.evaluate("() => location.hash") != orbited
    after(page, lambda: page.click(".input-button >> nth=2"))


def test_small_screen_shows_everything(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url, width=390, height=844)
    settled(page)
    widths = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
    for label in ("Snapshot", "Orbit", "Compare"):
        expect(page.get_by_role("button", name=label)).to_be_visible()


def test_axe_finds_no_serious_violation(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    axe = Axe()

    def check(page: Page, where: str) -> None:
        found = axe.run(page).response["violations"]
        serious = [
            (where, one["id"], [node["html"] for node in one["nodes"]])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []

    page = open_page(fake.url)
    page.wait_for_selector(".card img")
    check(page, "scenes")
    page.goto(fake.scene_url)
    settled(page)
    check(page, "walking")
    page.keyboard.press("k")
    after(page, lambda: page.keyboard.press("."))
    page.keyboard.press("k")
    page.wait_for_selector(".key")
    check(page, "path")
    page.keyboard.press("c")
    page.wait_for_selector(".compare[data-state=shown]")
    check(page, "comparison")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    check(page, "help")
    page.keyboard.press("Escape")
    fake.service.key()
    page.goto(fake.url)
    page.wait_for_selector("dialog")
    check(page, "sign-in")
    fake.service.refresh()
    page.goto(fake.url_of(fake.failed()))
    page.wait_for_selector("[data-state=failed]")
    check(page, "failed scene")
