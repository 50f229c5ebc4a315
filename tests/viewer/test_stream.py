"""Pictures of the stream: their order, how many are asked for, and lost connections."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, WebSocket

from tests.viewer.conftest import Fake, after, colour_at, drag, settled

PUSH_POSES = """async ([address, num]) => {
    const [{ FrameStream }, { Painter }] = await Promise.all([
        import('/viewer/js/walk/stream.js'), import('/viewer/js/walk/painter.js'),
    ]);
    const painter = new Painter(document.createElement('canvas'));
    const arrived = [], shown = [];
    let finish, mostInFlight = 0;
    const finished = new Promise((resolve) => { finish = resolve; });
    const stream = new FrameStream({
        address: async () => address,
        show: async (frame) => {
            arrived.push(frame.sequence);
            const { isShown } = await painter.show(frame);
            if (isShown) shown.push(frame.sequence);
            if (frame.order.isLast) finish();
        },
    });
    stream.start();
    const camera = {world_from_camera: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0],
                                        [0, 0, 0, 1]],
                    fx: 1, fy: 1, cx: 1, cy: 1};
    for (let i = 1; i <= num; i += 1) {
        camera.world_from_camera[0][3] = i;
        const pose = structuredClone(camera);
        stream.request({camera: pose, height: 16, width: 16, format: 'png', quality: 90,
                        isLast: i === num});
        mostInFlight = Math.max(mostInFlight, stream.numInFlight);
        await new Promise((resolve) => setTimeout(resolve, 12));
    }
    await finished;
    while (stream.numInFlight) await new Promise((resolve) => setTimeout(resolve, 5));
    stream.stop();
    const copy = new OffscreenCanvas(8, 8).getContext('2d');
    copy.drawImage(painter.canvas, 0, 0);
    const pixel = [...copy.getImageData(4, 4, 1, 1).data].slice(0, 3);
    return {arrived, shown, pixel, camera, mostInFlight, numStale: painter.numStale};
}"""


def pixel(page: Page) -> list[int]:
    """RGB in the middle of the picture."""
    return page.evaluate(
        """() => {
            const canvas = document.querySelector('canvas.picture');
            const copy = new OffscreenCanvas(1, 1).getContext('2d');
            copy.drawImage(canvas, 0, 0, 1, 1);
            const { data } = copy.getImageData(0, 0, 1, 1);
            return [...data].slice(0, 3);
        }"""
    )


class Messages:
    """What goes over the page's stream."""

    def __init__(self, page: Page) -> None:
        self.sent: list[dict[str, Any]] = []
        self.received: list[bytes] = []
        page.on("websocket", self.follow)

    def follow(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda text: self.sent.append(json.loads(text)))
        socket.on("framereceived", self.take)

    def take(self, payload: str | bytes) -> None:
        if isinstance(payload, bytes):
            self.received.append(payload)

    def picture(self, index: int) -> tuple[dict[str, Any], bytes]:
        data = self.received[index]
        end = 4 + int.from_bytes(data[:4], "little")
        return json.loads(data[4:end]), data[end:]


def test_stale_pictures_never_overtake_newer_ones(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    """Every other picture is late; the last one asked for is the one that stays."""
    fake.service.backend.delays_seconds = [0.18, 0.003, 0.09, 0.001]
    page = open_page(fake.url)
    seen = page.evaluate(PUSH_POSES, [fake.stream_url, 60])
    assert seen["arrived"] != sorted(seen["arrived"]), "nothing was reordered"
    assert seen["shown"] == sorted(seen["shown"])
    assert seen["numStale"] == len(seen["arrived"]) - len(seen["shown"]) > 0
    assert seen["shown"][-1] == max(seen["arrived"])
    assert seen["pixel"] == list(colour_at(seen["camera"]))
    assert len(seen["arrived"]) < 60, "poses that a newer one replaces are not sent"
    assert seen["mostInFlight"] == 2


@pytest.mark.slow
def test_low_resolution_in_motion_full_at_rest(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.service.backend.delays_seconds = [0.12]
    fake.service.backend.height, fake.service.backend.width = 512, 768
    large = fake.service.stored()
    page = open_page("about:blank")
    messages = Messages(page)
    page.goto(fake.url_of(large))
    settled(page)
    after(page, lambda: drag(page))
    moving = [order for order in messages.sent if order.get("format") == "jpeg"]
    assert 0 < max(order["height"] for order in moving) < 512
    assert all(order["width"] % 8 == 0 for order in moving)
    last = messages.sent[-1]
    assert (last["height"], last["width"], last["format"]) == (512, 768, "png")


def test_settled_picture_equals_the_render_endpoint(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page("about:blank")
    messages = Messages(page)
    page.goto(fake.scene_url)
    settled(page)
    order = messages.sent[-1] | {}
    del order["sequence"]
    answer = httpx.post(f"{fake.url}/v1/scenes/{fake.scene}/render", json=order)
    assert messages.picture(-1)[1] == answer.content


@pytest.mark.slow
def test_lost_connection_comes_back_where_it_was(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url)
    settled(page)
    after(page, lambda: drag(page))
    before = page.evaluate("() => location.hash")
    fake.drop_streams()
    page.wait_for_selector(".banner >> text=(attempt 4)")
    assert "connection to the server is lost" in page.inner_text(".banner")
    fake.service.proxy.faults.clear()
    page.click(".banner >> text=Try now")
    page.wait_for_selector(".chip[data-state=open]")
    page.wait_for_selector(".banner", state="hidden")
    settled(page)
    assert page.evaluate("() => location.hash") == before


def test_reload_and_share_link_restore_the_view(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    settled(page)
    after(page, lambda: drag(page))
    colour = pixel(page)
    page.click("text=Share")
    page.wait_for_selector("text=Link copied")
    link = page.evaluate("() => navigator.clipboard.readText()")
    page.reload()
    settled(page)
    fragment = page.evaluate("() => location.hash")
    assert link.endswith(fragment)
    elsewhere = "() => { location.hash = '#p=9,9,9&q=0,0,0,1&f=40' }"
    after(page, lambda: page.evaluate(elsewhere))
    assert pixel(page) != colour
    again = open_page(link)
    settled(again)
    assert again.evaluate("() => location.hash") == fragment


@pytest.mark.slow
def test_meters_say_what_was_measured(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.service.backend.delays_seconds = [0.05]
    page = open_page(fake.scene_url)
    settled(page)
    after(page, lambda: drag(page))
    page.wait_for_selector(".meters >> text=96 × 64 png")
    assert "main memory" in page.inner_text(".meters")
    rows = page.eval_on_selector_all(
        ".meters dt",
        "(all) => all.map((one) => [one.innerText, one.nextSibling.innerText])",
    )
    values = dict(rows)
    assert values["model"] == "3.0 ms"
    assert values["queue"] == "1.0 ms"
    assert float(values["network"].split()[0]) >= 39


def test_no_key_in_any_address(open_page: Callable[..., Page], fake: Fake) -> None:
    key = fake.service.key()
    page = open_page("about:blank")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.on("websocket", lambda socket: addresses.append(socket.url))
    page.goto(fake.scene_url)
    page.fill("#key", key)
    page.click("text=Continue")
    settled(page)
    assert any("?ticket=" in url for url in addresses)
    assert not [url for url in addresses if key in url]
    keys = {one.headers.get("authorization") for one in fake.sent(".* /v1/.*")}
    assert keys <= {None, f"Bearer {key}"}
