"""Pictures of the stream: their order, how many are asked for, and lost connections."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page, WebSocket

from tests.viewer.conftest import Fake, after, drag, settled
from tests.viewer.fake_server import SCENE, colour_of_pose

RECORD_SEQUENCES = """() => {
    const frame = document.querySelector('.frame');
    window.shown = [];
    new MutationObserver(() => window.shown.push(Number(frame.dataset.sequence)))
        .observe(frame, {attributeFilter: ['data-sequence']});
}"""


def pixel(page: Page) -> list[int]:
    """RGB in the middle of the picture."""
    return page.evaluate(
        """() => {
            const canvas = document.querySelector('canvas.picture');
            const context = canvas.getContext('2d');
            return [...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data]
                .slice(0, 3);
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
    fake.set(delays_ms=[70, 5, 40, 1])
    page = open_page("about:blank")
    messages = Messages(page)
    page.goto(fake.scene_url)
    settled(page)
    page.evaluate(RECORD_SEQUENCES)
    after(page, lambda: drag(page, 12))
    shown = page.evaluate("() => window.shown")
    arrived = [
        messages.picture(i)[0]["sequence"] for i in range(len(messages.received))
    ]
    assert arrived != sorted(arrived), "the stand-in has not reordered anything"
    assert shown == sorted(shown)
    assert len(shown) < len(arrived)
    assert pixel(page) == list(colour_of_pose(messages.sent[-1]))


def test_at_most_two_pictures_are_asked_for(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.set(delays_ms=[30])
    page = open_page(fake.scene_url)
    settled(page)
    after(page, lambda: drag(page))
    assert fake.seen["most_in_flight"] == 2


def test_low_resolution_in_motion_full_at_rest(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.set(delays_ms=[120], height=512, width=768)
    page = open_page("about:blank")
    messages = Messages(page)
    page.goto(fake.scene_url)
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
    answer = httpx.post(f"{fake.url}/v1/scenes/{SCENE}/render", json=order)
    assert messages.picture(-1)[1] == answer.content


def test_lost_connection_comes_back_where_it_was(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    page = open_page(fake.scene_url)
    settled(page)
    after(page, lambda: drag(page))
    before = page.evaluate("() => location.hash")
    fake.set(stream_close=1011, drop_streams=True)
    page.wait_for_selector(".banner >> text=(attempt 4)")
    assert "connection to the server is lost" in page.inner_text(".banner")
    fake.set(stream_close=None)
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


def test_meters_say_what_was_measured(
    open_page: Callable[..., Page], fake: Fake
) -> None:
    fake.set(delays_ms=[50])
    page = open_page(fake.scene_url)
    settled(page)
    after(page, lambda: drag(page))
    page.wait_for_selector(".meters >> text=96 × 64 png")
    assert "device memory" in page.inner_text(".meters")
    rows = page.eval_on_selector_all(
        ".meters dt",
        "(all) => all.map((one) => [one.innerText, one.nextSibling.innerText])",
    )
    values = dict(rows)
    assert values["model"] == "0.2 ms"
    assert values["queue"] == "0.1 ms"
    assert float(values["network"].split()[0]) >= 49


def test_no_key_in_any_address(open_page: Callable[..., Page], fake: Fake) -> None:
    key = "nvs_" + base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
    fake.set(key=key)
    page = open_page("about:blank")
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.on("websocket", lambda socket: addresses.append(socket.url))
    page.goto(fake.scene_url)
    page.fill("#key", key)
    page.click("text=Continue")
    settled(page)
    assert any(url.endswith("?ticket=ticket") for url in addresses)
    assert not [url for url in addresses if key in url]
    assert set(fake.seen["keys"]) == {f"Bearer {key}"}
