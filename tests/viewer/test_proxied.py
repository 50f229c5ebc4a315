"""The page and the description through nginx, at the root and under a path."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from nvs.assets import SAMPLE
from tests.fakes.api import opencv
from tests.proxies import documented_nginx, nginx_with_defaults
from tests.viewer.conftest import Fake, after, drag, settled


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
