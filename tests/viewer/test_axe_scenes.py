"""axe on every step of an upload, on a large and on a small screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.viewer.conftest import Fake
from tests.viewer.test_scenes import step
from tests.viewer.test_uploads import CAPTURE, FILES, fail


def check(page: Page, where: str) -> None:
    found = Axe().run(page).response["violations"]
    serious = [
        (where, one["id"], [node["html"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("width", [1000, 390])
def test_no_serious_violation(
    open_page: Callable[..., Page], fake: Fake, width: int
) -> None:
    fake.building()
    page = open_page(fake.url, width=width)
    fail(page, "images/*", 1, 413)
    page.locator(FILES).set_input_files(
        [
            {"name": name, "mimeType": "", "buffer": data}
            for name, data in CAPTURE.items()
        ]
    )
    page.wait_for_selector(".card >> text=prefill")
    check(page, "form and building card")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="Try the failed files again").wait_for()
    check(page, "files")
    page.click("text=Try the failed files again")
    step(page, "choose")
    page.click("text=More choices")
    check(page, "findings and build form")
    fail(page, "build", 1, 409)
    page.click("text=Build the scene")
    step(page, "failed")
    check(page, "failure")
    page.click("text=Try again")
    page.click("text=Build the scene")
    page.wait_for_selector(".upload-panel progress")
    check(page, "build")
    page.click("[aria-label='Actions for ring']")
    check(page, "menu")
