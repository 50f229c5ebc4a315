"""What the way from pose to picture costs, without a network behind it.

The stand-in answers at once with a 960×536 JPEG. Run it for its numbers, which it
prints:

    python -m pytest tests/viewer/test_transport.py -m slow -s
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.viewer.conftest import Fake
from tests.viewer.fake_server import SCENE
from tests.viewer.pump import pump

NUM_FRAMES = 600
NUM_WARM = 60
CAMERA = {
    "world_from_camera": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    **{"fx": 800, "fy": 800, "cx": 480, "cy": 268},
}


@pytest.mark.slow
def test_transport_alone(open_page: Callable[..., Page], fake: Fake) -> None:
    page = open_page(fake.url, width=1280, height=800)
    address = f"{fake.url}/v1/scenes/{SCENE}/stream".replace("http", "ws")
    pumped = pump(
        page,
        address,
        [CAMERA],
        height=536,
        width=960,
        num_frames=NUM_FRAMES,
        num_warm=NUM_WARM,
    )
    print("\n" + json.dumps(pumped.figures() | pumped.parts_ms))  # noqa: T201
    assert len(pumped.latency_ms) == NUM_FRAMES - NUM_WARM
    assert fake.seen["most_in_flight"] == 2
