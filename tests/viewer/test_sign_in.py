"""The question for a key, which cannot be put away."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.viewer.conftest import Fake


def test_escape_does_not_put_the_question_away(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    key = fake.service.key()
    page = open_page(fake.url)
    page.fill("#key", "nvs_ri")
    for _ in range(3):
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_be_visible()
    expect(page.locator("#key")).to_have_value("nvs_ri")
    page.fill("#key", key)
    page.click("text=Continue")
    page.wait_for_selector(".card")
    expect(page.locator("dialog")).to_have_count(0)


def test_a_key_works_where_the_browser_keeps_nothing(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    key = fake.service.key()
    page = open_page("about:blank")
    refused = "{get() { throw new DOMException('denied', 'SecurityError'); }}"
    for storage in ("sessionStorage", "localStorage"):
        page.add_init_script(f"Object.defineProperty(window, '{storage}', {refused})")
    page.goto(fake.url)
    page.fill("#key", key)
    page.click("text=Continue")
    page.wait_for_selector(".card")
