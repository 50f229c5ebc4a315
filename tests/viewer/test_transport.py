"""What the way from pose to picture costs, without a renderer behind it.

The backend answers at once with a 960×536 JPEG, past the proxy. Run it for its numbers,
which it prints:

    python -m pytest tests/viewer/test_transport.py -m slow -s
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.fakes import backend
from tests.viewer.conftest import Fake
from tests.viewer.pump import pump

NUM_FRAMES = 600
NUM_WARM = 60
CAMERA = {
    "world_from_camera": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    **{"fx": 800, "fy": 800, "cx": 480, "cy": 268},
}


HEIGHT, WIDTH = 536, 960


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture for every pose, of the size that a photograph has as JPEG."""
    image = Image.radial_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=80)
    data = stream.getvalue()
    monkeypatch.setattr(backend, "picture_of", lambda camera, options: data)


@pytest.mark.slow
def test_transport_alone(
    open_page: Callable[..., Page], fake: Fake, prepared: None
) -> None:
    url = fake.service.proxy.service_url
    page = open_page(url, width=1280, height=800)
    pumped = pump(
        page,
        fake.stream_url.replace(
            fake.url.removeprefix("http"), url.removeprefix("http")
        ),
        [CAMERA],
        height=HEIGHT,
        width=WIDTH,
        num_frames=NUM_FRAMES,
        num_warm=NUM_WARM,
    )
    print("\n" + json.dumps(pumped.figures() | pumped.parts_ms))  # noqa: T201
    assert len(pumped.latency_ms) == NUM_FRAMES - NUM_WARM
