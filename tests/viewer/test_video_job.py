"""Videos asked for earlier, and the memory of those shown before."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.viewer.conftest import Fake, after, settled


@pytest.mark.parametrize("state", ["running", "succeeded"])
def test_the_newest_video_is_there_after_a_reload(
    open_page: Callable[..., Page], fake: Fake, state: str
) -> None:
    order = {"trajectory": {"kind": "orbit", "num_frames": 2}}
    order |= {"height": 64, "width": 96}
    path = f"/v1/scenes/{fake.scene}/videos"
    job_id = fake.service.call("POST", path, json=order).json()["id"]
    fake.service.ended(job_id)
    page = open_page("about:blank")
    asked: list[str] = []

    def jobs(route: Route) -> None:
        asked.append(route.request.url)
        kinds = [("build", "succeeded"), ("video", "failed"), ("video", state)]
        items = [{"id": job_id, "kind": kind, "state": state} for kind, state in kinds]
        route.fulfill(body=json.dumps({"items": items}))

    page.route("**/v1/jobs?*", jobs)
    page.goto(fake.scene_url)
    settled(page)
    page.keyboard.press("t")
    page.wait_for_selector(".job [data-state=succeeded] video")
    page.click(".job [title=Close]")
    expect(page.locator(".job")).to_be_hidden()
    page.keyboard.press("t")
    page.keyboard.press("t")
    expect(page.locator(".job")).to_be_hidden()
    assert len(asked) == 1


def test_the_earlier_video_is_let_go(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url)
    settled(page)
    page.keyboard.press("k")
    after(page, lambda: page.keyboard.press("."))
    page.keyboard.press("k")
    page.evaluate(
        """() => {
            window.revoked = [];
            URL.revokeObjectURL = (url) => window.revoked.push(url);
        }"""
    )
    urls = []
    for _ in range(2):
        fake.service.hold("video")
        page.click("text=Make mp4")
        page.wait_for_selector(".job progress")
        fake.service.let_go("video")
        page.wait_for_selector(".job video")
        urls.append(page.get_attribute(".job video", "src"))
    assert page.evaluate("() => window.revoked") == urls[:1]
