"""What the way from pose to picture costs, without a network behind it.

The stand-in answers at once with a 960×536 JPEG; a new pose is offered for each picture
shown, as fast as they come. Run it for its numbers, which it prints:

    python -m pytest tests/viewer/test_transport.py -m slow -s
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.viewer.conftest import Fake
from tests.viewer.fake_server import SCENE

NUM_FRAMES = 600
PUMP = """async ([address, num]) => {
    const [{ FrameStream }, { Painter }, { Meters }] = await Promise.all([
        import('/viewer/js/walk/stream.js'), import('/viewer/js/walk/painter.js'),
        import('/viewer/js/walk/meters.js'),
    ]);
    const canvas = document.createElement('canvas');
    document.body.replaceChildren(canvas);
    const painter = new Painter(canvas);
    const meters = new Meters();
    const latencies = [];
    let last, finish, start;
    const finished = new Promise((resolve) => { finish = resolve; });
    const camera = {world_from_camera: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0],
                    [0, 0, 0, 1]], fx: 800, fy: 800, cx: 480, cy: 268};
    const ask = () => stream.request(
        {camera, height: 536, width: 960, format: 'jpeg', quality: 80});
    const stream = new FrameStream({
        address: async () => address,
        show: async (frame) => {
            const drawn = await painter.show(frame);
            meters.add({...frame, ...drawn, numBytes: frame.image.size});
            if (drawn.isShown) latencies.push(drawn.shownAt - frame.sentAt);
            if (latencies.length === 60) start = performance.now();
            if (latencies.length === num) finish();
            ask();
        },
    });
    stream.addEventListener('status', ({detail}) => {
        if (detail.state === 'open') { ask(); setTimeout(ask, 3); }
    });
    stream.start();
    await finished;
    stream.stop();
    const seconds = (performance.now() - start) / 1000;
    const counted = latencies.slice(60).sort((a, b) => a - b);
    const at = (part) => counted[Math.floor(part * counted.length)];
    return {
        frames_per_second: counted.length / seconds,
        median_ms: at(0.5), p95_ms: at(0.95),
        decode_ms: meters.last.parts.decode, network_ms: meters.last.parts.network,
        stale: painter.numStale,
    };
}"""


@pytest.mark.slow
def test_transport_alone(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page(fake.url, width=1280, height=800)
    address = f"{fake.url}/v1/scenes/{SCENE}/stream".replace("http", "ws")
    measured = page.evaluate(PUMP, [address, NUM_FRAMES])
    print("\n" + json.dumps({k: round(v, 1) for k, v in measured.items()}))  # noqa: T201
    assert fake.seen["most_in_flight"] == 2
