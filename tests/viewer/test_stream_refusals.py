"""Requests of the stream that are refused for the time being."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.viewer.conftest import Fake

REFUSE_BOTH = """async (order) => {
    const sent = [];
    let socket;
    window.WebSocket = class {
        static OPEN = 1;
        readyState = 1;
        constructor() { socket = this; }
        send(text) { sent.push(JSON.parse(text)); }
        close() {}
    };
    const { FrameStream } = await import('/viewer/js/walk/stream.js');
    const stream = new FrameStream({address: async () => '', show: async () => {}});
    stream.start();
    await new Promise((done) => setTimeout(done));
    const say = (message) => socket.onmessage({data: JSON.stringify(message)});
    say({type: 'ready', max_in_flight: 2});
    stream.request({camera: 'moving'});
    stream.request({camera: 'settled'});
    for (const index of order) {
        const { sequence } = sent[index];
        say({type: 'problem', sequence, problem: {status: 503, type: 'queue-full'}});
    }
    await new Promise((done) => setTimeout(done, 1500));
    return sent.map(({ camera }) => camera);
}"""


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_two_refused_poses_the_newer_one_is_asked_again(
    open_page: Callable[..., Page], fake: Fake, order: list[int]
) -> None:
    page = open_page(fake.url)
    sent = page.evaluate(REFUSE_BOTH, order)
    assert sent == ["moving", "settled", "settled"]
