"""The order of work, and which images share a batch."""

from __future__ import annotations

import threading

import pytest
import torch

from nvs.api.cameras import IDENTITY, PosedCamera
from nvs.api.renders import PictureOptions
from nvs.cameras import Camera
from nvs_server.compute.agenda import PATIENCE, Agenda, Batch, Job, Render
from nvs_server.compute.orders import RenderOrder
from nvs_server.storage.records import SceneRef


@pytest.fixture
def dropped() -> list[Render | Job]:
    return []


@pytest.fixture
def agenda(dropped: list[Render | Job]) -> Agenda:
    return Agenda(dropped.append)


def render(
    number: int, num_views: int = 1, *, scene: str = "a", height: int = 16
) -> Render:
    ref = SceneRef(scene_id=scene, sha256=scene, num_bytes=1, weights="w")
    posed = PosedCamera(world_from_camera=IDENTITY, fx=1, fy=1, cx=1, cy=1)
    poses = torch.eye(4).repeat(num_views, 1, 1)
    poses[:, 0, 3] = number + torch.arange(num_views) / 100
    return Render(
        id=number,
        order=RenderOrder(
            scene=ref,
            cameras=(posed,) * num_views,
            options=PictureOptions(height=height, width=16),
        ),
        camera=Camera(
            world_from_camera=poses,
            intrinsics=torch.ones(num_views, 4),
            height=height,
            width=16,
        ),
        arrived_seconds=0.0,
    )


def taken(agenda: Agenda) -> list[tuple[int, int, int]]:
    """Render id, first and end image of each part of the next batch."""
    batch = agenda.next_batch()
    if batch is None:
        return []
    assert len(batch.camera) == sum(len(part) for _, part in batch.parts)
    return [(render.id, part.start, part.stop) for render, part in batch.parts]


def test_alike_renders_share_a_batch_and_others_keep_their_order(
    agenda: Agenda,
) -> None:
    for item in (
        render(1),
        render(2, scene="b"),
        render(3),
        render(4, height=24),
        render(5, 2),
    ):
        agenda.add(item)
    assert taken(agenda) == [(1, 0, 1), (3, 0, 1), (5, 0, 2)]
    assert taken(agenda) == [(2, 0, 1)]
    assert taken(agenda) == [(4, 0, 1)]
    assert taken(agenda) == []


def test_a_batch_has_at_most_sixteen_images_and_others_have_their_turn(
    agenda: Agenda,
) -> None:
    agenda.add(render(1, 40))
    agenda.add(render(2, scene="b"))
    assert taken(agenda) == [(1, 0, 16)]
    agenda.add(render(3, 20))
    assert taken(agenda) == [(2, 0, 1)]
    assert taken(agenda) == [(1, 16, 32)]
    assert taken(agenda) == [(3, 0, 16)]
    assert taken(agenda) == [(1, 32, 40), (3, 16, 20)]
    assert taken(agenda) == []


def test_the_cameras_of_a_batch_are_those_of_its_parts(agenda: Agenda) -> None:
    agenda.add(render(1, 2))
    agenda.add(render(2, 1))
    batch = agenda.next_batch()
    assert batch is not None
    torch.testing.assert_close(
        batch.camera.world_from_camera[:, 0, 3], torch.tensor([1.0, 1.01, 2.0])
    )


def test_renders_come_before_jobs(agenda: Agenda) -> None:
    agenda.add(Job(id=1, request={}))
    agenda.add(Job(id=2, request={}))
    agenda.add(render(3))
    first = agenda.next()
    assert isinstance(first, Batch)
    jobs = [agenda.next(), agenda.next()]
    assert [job.id for job in jobs if isinstance(job, Job)] == [1, 2]


def test_what_is_cancelled_is_dropped_before_it_begins(
    agenda: Agenda, dropped: list[Render | Job]
) -> None:
    items = [render(1), Job(id=2, request={}), render(3, 20)]
    for item in items:
        agenda.add(item)
    items[0].cancelled = items[1].cancelled = True
    assert taken(agenda) == [(3, 0, 16)]
    assert [item.id for item in dropped] == [1, 2]
    items[2].cancelled = True
    assert taken(agenda) == []
    assert dropped[-1] is items[2]


def test_whoever_waits_is_woken(agenda: Agenda) -> None:
    finished = threading.Event()
    found: list[Batch | None] = []
    waiting = threading.Thread(
        target=lambda: found.append(agenda.next_batch(until=finished.is_set))
    )
    waiting.start()
    finished.set()
    agenda.wake()
    waiting.join(60)
    assert found == [None]
    works: list[Batch | Job] = []
    waiting = threading.Thread(target=lambda: works.append(agenda.next()))
    waiting.start()
    agenda.add(render(1))
    waiting.join(60)
    assert isinstance(works[0], Batch)


def test_renders_that_never_end_do_not_keep_a_job_from_starting(
    agenda: Agenda,
) -> None:
    for first in (100, 200):
        agenda.add(Job(id=first, request={}))
        for number in range(2 * PATIENCE):
            agenda.add(render(first + 1 + number, scene=str(first + number)))
    done = [agenda.next() for _ in range(2 * PATIENCE + 2)]
    places = [place for place, work in enumerate(done) if isinstance(work, Job)]
    assert places == [PATIENCE, 2 * PATIENCE + 1]
