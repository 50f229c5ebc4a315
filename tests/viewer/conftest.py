"""A browser, and the page of the service: over the fake backend, or as `nvs serve`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from nvs.api.cameras import PosedCamera
from nvs.errors import CameraError
from tests.fakes.api import opencv, picture, zip_of
from tests.fakes.backend import colour_of, input_camera
from tests.fakes.proxy import Fault, Request
from tests.fakes.service import Service
from tests.server.conftest import serve

__all__ = ["serve"]

CHROMIUM = shutil.which("chromium") or ""
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WAIT_SECONDS = 30
NUM_INPUTS = 6
STREAM = "GET .*/stream"
DISAGREE = CameraError("The cameras disagree.", remedy="Pose them again.")


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


@pytest.fixture
def shot() -> Callable[..., None]:
    """Takes pictures of a page into the folder NVS_SHOTS, for people to look at."""
    folder = os.environ.get("NVS_SHOTS")

    def take(page: Page, name: str, *, full_page: bool = True) -> None:
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=full_page)

    return take


def note(tab: Tab, kind: str, text: str) -> None:
    """Refused answers are logged by the browser itself and are no errors of ours."""
    if (
        kind == "error"
        and "Failed to load resource" not in text
        and "WebSocket" not in text
    ):
        tab.errors.append(text)


class Fake:
    """The application over a backend that computes nothing, with one scene to walk in:
    "ring", six views around the origin."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._ring: list[Any] = [{"id": ""}]

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def scene(self) -> str:
        """The id of the ring."""
        return self._ring[0]["id"]

    @property
    def scene_url(self) -> str:
        return self.url_of(self.scene)

    def url_of(self, scene_id: str) -> str:
        """The page of a scene."""
        return f"{self.url}/scenes/{scene_id}"

    @property
    def stream_url(self) -> str:
        """Of the ring's stream."""
        return f"{self.url}/v1/scenes/{self.scene}/stream".replace("http", "ws")

    def posed(self, name: str = "ring") -> str:
        """A scene with images and cameras that is not built."""
        names = [f"{index:05}.png" for index in range(NUM_INPUTS)]
        content = {name: picture(index) for index, name in enumerate(names)}
        content["opencv_cameras.json"] = json.dumps(opencv(*names)).encode()
        scene_id = self.service.make(name=name)
        answer = self.service.put(
            scene_id, "dataset", zip_of(content), "application/zip"
        )
        assert answer.status_code == 200, answer.text
        return scene_id

    def building(self) -> str:
        """A scene whose first build goes on until `let_go("build")`."""
        self.service.hold("build")
        scene_id = self.posed()
        self.service.build(scene_id)
        return scene_id

    def fail(self, operation: str = "build", times: int = 1) -> None:
        """The next builds fail."""
        self.service.backend.errors[operation] += [DISAGREE] * times

    def failed(self, scene_id: str = "") -> str:
        """A scene whose last build failed."""
        scene_id = scene_id or self.posed()
        self.fail()
        job = self.service.build(scene_id, json={"size": 64}).json()
        assert self.service.ended(job["id"])["state"] == "failed"
        return scene_id

    def drop_streams(self) -> None:
        """Break every connection, and refuse to make streams again."""
        self.service.proxy.faults = [Fault(pattern=STREAM)] * 100
        self.service.proxy.reset()

    def sent(self, pattern: str) -> list[Request]:
        """Requests that came."""
        return self.service.proxy.requests_of(pattern)

    def refresh(self) -> None:
        """The ring alone, and as it was built."""
        scenes = self.service.call("GET", "/v1/scenes?limit=100").json()["items"]
        is_kept = [*scenes, self._jobs()] == self._ring
        if is_kept:
            return
        for one in scenes:
            self.service.call("DELETE", f"/v1/scenes/{one['id']}")
        scene_id = self.posed()
        job = self.service.build(scene_id).json()
        assert self.service.ended(job["id"])["state"] == "succeeded"
        self._ring = [self.service.scene(scene_id)]
        self._ring.append(self._jobs())

    def _jobs(self) -> Any:
        path = f"/v1/jobs?scene_id={self.scene or 'a' * 26}"
        return self.service.call("GET", path).json()


def ring_camera(index: int) -> PosedCamera:
    """Of an input of the ring."""
    return input_camera(index, NUM_INPUTS, height=64, width=96)


def colour_at(camera: Mapping[str, Any]) -> tuple[int, int, int]:
    """Of the pictures from a camera, as the page sends it."""
    return colour_of(PosedCamera.model_validate(camera))


@pytest.fixture(scope="package")
def walkable(running_service: Service) -> Fake:
    return Fake(running_service)


@pytest.fixture
def fake(service: Service, walkable: Fake) -> Fake:
    """The service, as if just started."""
    walkable.refresh()
    service.proxy.requests.clear()
    return walkable


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
