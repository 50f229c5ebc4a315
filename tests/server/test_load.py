"""The trials in small, without their clocks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from nvs.scene import Scene
from tests.served import Served, end, start
from trials.load import builds, crowd, leave
from trials.load.direct import Direct, around, asked
from trials.load.service import Service

pytestmark = pytest.mark.slow
SECONDS = 60.0
"""More than the turns take: it is they that end the load."""
NUM_SCENES = 4
NUM_CACHED = 2
NUM_CLIENTS = 12
NUM_TURNS = 3


@pytest.fixture(scope="module")
def direct() -> Direct:
    return Direct.load()


@pytest.fixture(scope="module")
def scenes(direct: Direct) -> list[Scene]:
    return [direct.scene(first) for first in range(NUM_SCENES)]


def test_the_same_build_asked_for_at_once_is_built_once(served: Served) -> None:
    built = asyncio.run(builds.build(Service(served), 12))
    assert (len(built.job_ids), built.num_listed, built.num_ended) == (1, 1, 1)
    assert built.num_tokens == builds.expected_tokens()


def test_a_client_that_leaves_gives_its_place_back(
    served: Served, scenes: list[Scene]
) -> None:
    running = Service(served)
    cameras = asked(around(scenes[0], 2, 256))
    left = asyncio.run(
        leave.leave(running, running.add(scenes[0]), cameras, size_px=256)
    )
    assert max(left.images) <= 1


@pytest.fixture(scope="module")
def busy(direct: Direct, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with too few places and too small a cache for its clients."""
    limit_bytes = direct.cache_bytes(NUM_CACHED)
    folder = tmp_path_factory.mktemp("busy")
    served = start(folder, max_render_queue=2, host_cache_bytes=limit_bytes)
    yield Service(served)
    end(served)


@pytest.fixture(scope="module")
def seen(busy: Service, scenes: list[Scene]) -> crowd.Seen:
    return asyncio.run(
        crowd.crowd(
            busy, scenes, num_clients=NUM_CLIENTS, seconds=SECONDS, num_turns=NUM_TURNS
        )
    )


def test_a_crowd_gets_its_pictures_or_429(busy: Service, seen: crowd.Seen) -> None:
    num_accepted, num_refused = len(seen.tally.accepted_ms), len(seen.tally.refused_ms)
    assert not seen.tally.errors
    assert num_refused
    assert num_accepted + num_refused == NUM_CLIENTS * NUM_TURNS
    assert busy.metric("nvs_frames_total", via="render") == num_accepted
    assert busy.metric("nvs_renders") == 0


def test_the_cache_stays_within_its_budget(seen: crowd.Seen) -> None:
    assert max(seen.host_bytes) <= seen.host_limit_bytes
    assert seen.num_evicted >= NUM_SCENES - NUM_CACHED
