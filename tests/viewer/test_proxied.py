"""The page and the description through nginx, at the root and under a path."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from nvs.assets import SAMPLE
from tests.fakes.api import opencv
from tests.proxies import documented_nginx, nginx_with_defaults
from tests.served import Served
from tests.viewer.conftest import Fake, after, drag, settled

BUILD_MS = 240_000
RECORD_PROGRESS = """() => {
    window.progress = new Set();
    const note = () => document.querySelectorAll('.job-line progress').forEach(
        (bar) => window.progress.add(bar.value));
    new MutationObserver(note).observe(document.body, {subtree: true, childList: true,
        attributes: true, characterData: true});
}"""


def service_of(fake: Fake) -> str:
    return urlsplit(fake.service.proxy.service_url).netloc


def upload(page: Page, folder: Path, name: str) -> None:
    page.locator("input[webkitdirectory]").set_input_files(folder)
    page.get_by_label("Name").fill(name)
    page.click(".upload-panel >> text=Upload")


def test_upload_build_and_walk_under_a_path(
    open_page: Callable[..., Page], fake: Fake, tmp_path: Path
) -> None:
    with documented_nginx(tmp_path, service_of(fake)) as root:
        page = open_page(root)
        upload(page, SAMPLE, "chicken")
        page.click("text=Build the scene")
        page.click("text=Walk around")
        settled(page)
        assert page.url.startswith(f"{root}scenes/")
        after(page, lambda: drag(page))
        page.reload()
        settled(page)
        page.click("a.brand")
        page.wait_for_selector("text=chicken")
        assert page.url == root


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_build_is_watched_under_a_path(
    open_page: Callable[..., Page], serve: Callable[..., Served], tmp_path: Path
) -> None:
    with documented_nginx(tmp_path, urlsplit(serve().base_url).netloc) as root:
        page = open_page(root)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        upload(page, SAMPLE, "chicken")
        page.get_by_role("combobox", name="Picture size").select_option("64")
        page.evaluate(RECORD_PROGRESS)
        page.click("text=Build the scene")
        page.wait_for_selector(".upload-panel[data-step=ready]", timeout=BUILD_MS)
        seen = page.evaluate("[...window.progress]")
        assert len([share for share in seen if 0 < share < 1]) >= 3, seen
        assert any(re.fullmatch(f"{root}v1/jobs/[^/]+/events", url) for url in asked)
        page.click("text=Walk around")
        settled(page)
        after(page, lambda: drag(page))
        assert all(url.startswith((root, "blob:", "data:")) for url in asked), asked


@pytest.mark.parametrize("path", ["/", "/proxy/8000/"])
def test_defaults_of_nginx(
    open_page: Callable[..., Page], fake: Fake, tmp_path: Path, path: str
) -> None:
    """Its Host is the service's own; it takes 1 MiB, and upgrades nothing."""
    large = tmp_path / "large"
    large.mkdir()
    noise = Image.frombytes("RGB", (700, 700), os.urandom(700 * 700 * 3))
    noise.save(large / "0.png")
    (large / "opencv_cameras.json").write_text(json.dumps(opencv("0.png")))
    with nginx_with_defaults(tmp_path, service_of(fake), path) as root:
        page = open_page(root)
        upload(page, large, "large")
        expect(page.locator(".upload-panel")).to_contain_text("client_max_body_size")
        page.goto(f"{root}scenes/{fake.scene}")
        page.wait_for_selector(".chip[data-state=waiting]")


def test_the_description_tries_its_requests(
    open_page: Callable[..., Page], fake: Fake, tmp_path: Path
) -> None:
    with documented_nginx(tmp_path, service_of(fake)) as root:
        page = open_page(f"{root}docs")
        page.click("#operations-scenes-list_scenes")
        page.click("text=Try it out")
        page.click("button.execute")
        answer = page.locator(".live-responses-table")
        expect(answer).to_contain_text("200")
        expect(answer).to_contain_text(fake.scene)
        expect(page.locator(".request-url").first).to_contain_text(f"{root}v1/scenes")
