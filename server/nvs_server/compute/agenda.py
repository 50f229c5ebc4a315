"""What a worker has to do, in order: renders before jobs, alike renders together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from nvs.api.system import Tier
from nvs.cameras import Camera
from nvs.parallel.devices import Place
from nvs.scene import Scene
from nvs.scene.renderer import RENDER_BATCH
from nvs_server.compute.orders import RenderOrder
from nvs_server.compute.wire import Message

PATIENCE = 4
"""Batches that may go before a job that waits: renders that never end must not keep it
from ever starting. Once it runs, it serves renders between its steps."""


@dataclass(slots=True, kw_only=True, eq=False)
class Render:
    """A render order on its way."""

    id: int
    order: RenderOrder
    camera: Camera
    arrived_seconds: float
    """On the clock of `time.perf_counter`, as the next."""
    loaded_seconds: float = 0.0
    """When its scene was there."""
    scene: Scene | None = None
    """Pinned in the cache until all images are rendered."""
    tier: Tier = "disk"
    num_begun: int = 0
    """Images that were rendered or are being rendered."""
    cancelled: bool = False

    @property
    def is_dropped(self) -> bool:
        """Whether nobody wants it."""
        return self.cancelled

    @property
    def key(self) -> tuple[str, int, int]:
        """Renders with equal keys can share a batch."""
        return self.order.scene.sha256, self.camera.height, self.camera.width


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A build or a video on its way."""

    id: int
    request: Message
    place: Place | None = None
    """Of this process among those that do it together; None if it is alone."""
    cancelled: bool = False

    @property
    def is_dropped(self) -> bool:
        """Whether it need not begin: nobody wants it, nor waits for this process."""
        return self.cancelled and self.place is None


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one scene and size that are rendered at once."""

    parts: tuple[tuple[Render, range], ...]
    """Renders and which of their images."""

    @property
    def camera(self) -> Camera:
        """The cameras of all parts."""
        return Camera.cat([render.camera[list(part)] for render, part in self.parts])


class Agenda:
    """Renders and jobs in the order they are to be done; thread-safe.

    A long render order is done in batches of at most 16 images, between which others
    have their turn. Renders go before jobs, save that a job waits for at most
    `PATIENCE` batches.

    Args:
        on_drop: Called, on the thread that takes work, with what was cancelled before
            it was done.
    """

    def __init__(self, on_drop: Callable[[Render | Job], None]) -> None:
        self._on_drop = on_drop
        self._changed = threading.Condition()
        self._renders: deque[Render] = deque()
        self._jobs: deque[Job] = deque()
        self._num_passed = 0
        """Batches that went before the first job."""

    def add(self, item: Render | Job) -> None:
        """Add a render whose scene is there, or a job."""
        with self._changed:
            if isinstance(item, Render):
                self._renders.append(item)
            else:
                self._jobs.append(item)
            self._changed.notify()

    def wake(self) -> None:
        """Have whoever waits look again: something was cancelled or has finished."""
        with self._changed:
            self._changed.notify()

    @property
    def num_renders(self) -> int:
        """Render orders that wait."""
        return len(self._renders)

    def next(self) -> Batch | Job:
        """The next thing to do, waiting for it."""
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                dropped = self._take_cancelled()
                work = self._take_job() or self._take_batch()
            self._drop(dropped)
            if work is not None:
                return work

    def next_batch(self, until: Callable[[], bool] = lambda: True) -> Batch | None:
        """The next batch of renders, waiting for it until a condition holds.

        The condition is looked at after each `wake`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._renders or until())
            dropped = self._take_cancelled()
            batch = self._take_batch()
        self._drop(dropped)
        return batch

    def _has_work(self) -> bool:
        return bool(self._renders or self._jobs)

    def _take_cancelled(self) -> list[Render | Job]:
        dropped = [item for item in (*self._renders, *self._jobs) if item.is_dropped]
        if dropped:
            self._renders = deque(r for r in self._renders if not r.is_dropped)
            self._jobs = deque(j for j in self._jobs if not j.is_dropped)
        return dropped

    def _take_job(self) -> Job | None:
        """The first job, if it is its turn."""
        if not self._jobs:
            return None
        if self._renders and self._num_passed < PATIENCE:
            self._num_passed += 1
            return None
        self._num_passed = 0
        return self._jobs.popleft()

    def _take_batch(self) -> Batch | None:
        """As many images like the first one's as fit, others left in their order."""
        if not self._renders:
            return None
        key, room = self._renders[0].key, RENDER_BATCH
        parts: list[tuple[Render, range]] = []
        for render in [render for render in self._renders if render.key == key]:
            first = render.num_begun
            render.num_begun = min(first + room, len(render.camera))
            parts.append((render, range(first, render.num_begun)))
            room -= render.num_begun - first
            self._renders.remove(render)
            if render.num_begun < len(render.camera):
                self._renders.append(render)
            if not room:
                break
        return Batch(tuple(parts))

    def _drop(self, dropped: list[Render | Job]) -> None:
        for item in dropped:
            self._on_drop(item)
