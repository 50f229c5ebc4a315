"""Photographs and videos without cameras, from the drop to the built scene."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from nvs.errors import DatasetError
from tests.fakes.api import picture
from tests.viewer.conftest import Fake
from tests.viewer.test_scenes import FILES, step
from tests.viewer.test_uploads import upload

PHOTOGRAPHS = {f"{name}.png": picture(shade) for shade, name in enumerate("abc")}
VIDEO = {"walk.mov": b"a video"}


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
    serious = [
        one
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    page.click("text=Build the scene")
    step(page, "ready")
    assert posed(fake) == 1


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
