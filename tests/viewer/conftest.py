"""A browser, and the page of a stand-in for the service or of the real one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.server.conftest import serve
from tests.viewer import fake_server

__all__ = ["serve"]

CHROMIUM = shutil.which("chromium") or ""
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WAIT_SECONDS = 30


def launched(*arguments: str) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no chromium to show the page in")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *arguments]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests of the viewer; it ends before other tests run, whose
    event loops Playwright's would be in the way of."""
    yield from launched(*WEBGL)


@dataclass
class Tab:
    """A tab, and what went wrong in it."""

    page: Page
    errors: list[str]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens tabs: `open_page(url, width=1280, …)`; errors of scripts fail the test."""
    tabs: list[Tab] = []

    def begin(url: str, *, width: int = 800, height: int = 520, **options: Any) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            reduced_motion=options.pop("reduced_motion", "reduce"),
            **options,
        )
        context.set_default_timeout(WAIT_SECONDS * 1000)
        page = context.new_page()
        tab = Tab(page, [])
        page.on("pageerror", lambda error: tab.errors.append(str(error)))
        page.on("console", lambda message: note(tab, message.type, message.text))
        tabs.append(tab)
        page.goto(url)
        return page

    yield begin
    for tab in tabs:
        tab.page.context.close()
    assert [error for tab in tabs for error in tab.errors] == []


def note(tab: Tab, kind: str, text: str) -> None:
    """Refused answers are logged by the browser itself and are no errors of ours."""
    if (
        kind == "error"
        and "Failed to load resource" not in text
        and "WebSocket" not in text
    ):
        tab.errors.append(text)


class Fake:
    """The stand-in's address and controls."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.scene_url = f"{url}/scenes/{fake_server.SCENE}"

    def set(self, **behaviour: Any) -> None:
        httpx.post(f"{self.url}/_control", json=behaviour).raise_for_status()

    @property
    def seen(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/_control").json()


@pytest.fixture(scope="package")
def fake_process() -> Iterator[Fake]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.viewer.fake_server", str(port)]
    )
    try:
        fake = Fake(f"http://127.0.0.1:{port}")
        await_answer(fake.url, process)
        yield fake
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)


def await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while True:
        assert process.poll() is None, "the stand-in ended"
        try:
            httpx.get(url).raise_for_status()
        except httpx.TransportError:
            assert time.monotonic() < end, "the stand-in does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def fake(fake_process: Fake) -> Fake:
    """The stand-in, as if just started."""
    fake_process.set(reset=True)
    return fake_process


def settled(page: Page) -> None:
    """Waits until the picture at rest is shown."""
    page.wait_for_selector(".frame[data-state=settled]")


def after(page: Page, action: Callable[[], object]) -> None:
    """Does something that moves the camera, and waits until it rests again."""
    sequence = page.get_attribute(".frame", "data-sequence")
    action()
    for _ in range(2):
        page.evaluate("() => new Promise(requestAnimationFrame)")
    page.wait_for_function(
        """(sequence) => {
            const frame = document.querySelector('.frame');
            const { state, sequence: shown } = frame.dataset;
            return state === 'settled' && shown !== sequence;
        }""",
        arg=sequence,
    )


def drag(page: Page, steps: int = 6) -> None:
    """Drags across the picture, a step for each picture of the browser."""
    box = page.locator(".frame").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(x + 10 * step, y - 2 * step)
        page.evaluate("() => new Promise(requestAnimationFrame)")
    page.mouse.up()
