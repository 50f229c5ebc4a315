"""Which work is let in: bounded renders and inspections, and nothing while draining.

A render takes its place in the house before its body is read (`AdmittedRoute`) and
gives it back on every path, when its answer is sent. When the house is full the answer
is 429; Retry-After is the number in the house and of those turned away before, times
the measured seconds per render: who is turned away later comes back later, not all at
once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from nvs_server.edge.problems import Problem

SMOOTHING = 0.1
"""Weight of the newest render in the measured seconds per render."""
FIRST_GUESS_SECONDS = 0.5
MAX_RETRY_SECONDS = 60.0
MAX_TURNED_AWAY = 4
"""Times the number of places: so many that were turned away are counted."""
MAX_INSPECTIONS = 16
"""Requests that wait for an inspector or have one at work."""
INSPECTION_RETRY_SECONDS = 10.0
"""Retry-After of inspections: how long one takes depends on what it is given."""


class Admission:
    """Counts the renders in the house; says when the server is shutting down.

    Used on the event loop only.

    Args:
        max_renders: Renders waiting and running at one time.
        max_streams: WebSockets open at one time.
    """

    def __init__(self, *, max_renders: int, max_streams: int) -> None:
        self.max_renders = max_renders
        self.max_streams = max_streams
        self.num_renders = 0
        self.num_streams = 0
        self.seconds_per_render = FIRST_GUESS_SECONDS
        self.draining = asyncio.Event()
        self._last_seconds = 0.0
        self._num_turned_away = 0
        """Since then no render was done in their stead."""
        self._turn = asyncio.Lock()

    @property
    def is_draining(self) -> bool:
        """Whether the server is shutting down and lets nothing in."""
        return self.draining.is_set()

    @property
    def retry_after_seconds(self) -> float:
        """When a place will be free for one more, as far as is known."""
        num_before = self.num_renders + self._num_turned_away
        estimate = num_before * self.seconds_per_render
        return min(max(estimate, 1.0), MAX_RETRY_SECONDS)

    def check_open(self) -> None:
        """Check that the server is not shutting down.

        Raises:
            Problem: `draining`, 503.
        """
        if self.is_draining:
            raise Problem("draining")

    def check_room(self) -> None:
        """Check that there is a place for one more render.

        Raises:
            Problem: `queue-full`, 429, if there is none.
        """
        if self.num_renders < self.max_renders:
            return
        retry_after_seconds = self.retry_after_seconds
        most = MAX_TURNED_AWAY * self.max_renders
        self._num_turned_away = min(self._num_turned_away + 1, most)
        raise Problem(
            "queue-full",
            f"{self.num_renders} renders of {self.max_renders} are waiting or running.",
            retry_after_seconds=retry_after_seconds,
        )

    @contextmanager
    def place(self) -> Generator[None]:
        """A place in the house for one render.

        Raises:
            Problem: `queue-full`, 429, if there is none; `draining`, 503.
        """
        self.check_open()
        self.check_room()
        if self.num_renders == 0:
            self._last_seconds = time.monotonic()
            self._num_turned_away = 0
        self.num_renders += 1
        try:
            yield
            self._measure()
        finally:
            self.num_renders -= 1

    async def turn(self) -> None:
        """Wait for one's turn: one render is begun in a pass of the event loop.

        Many come at once, when a batch is done and its clients ask again. Whoever is
        to be refused need not wait until all of those have been read and checked.
        """
        async with self._turn:
            await asyncio.sleep(0)

    @contextmanager
    def stream(self) -> Generator[None]:
        """A place for one open WebSocket; each of its renders takes a `place` too.

        Raises:
            Problem: `queue-full`, 429, if there is none; `draining`, 503.
        """
        self.check_open()
        if self.num_streams >= self.max_streams:
            raise Problem(
                "queue-full",
                f"{self.num_streams} streams of {self.max_streams} are open.",
                retry_after_seconds=MAX_RETRY_SECONDS,
            )
        self.num_streams += 1
        try:
            yield
        finally:
            self.num_streams -= 1

    def _measure(self) -> None:
        """Note that a render is done: the pause since the one before, while busy."""
        now = time.monotonic()
        self.seconds_per_render += SMOOTHING * (
            now - self._last_seconds - self.seconds_per_render
        )
        self._last_seconds = now
        self._num_turned_away = max(0, self._num_turned_away - 1)


class AdmittedRoute(APIRoute):
    """A route whose requests take a place before their body is read.

    They have it until their answer is sent. Use it as
    `router = APIRouter(route_class=AdmittedRoute)`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual handler, inside a place that the framework ends."""
        handler = super().get_route_handler()

        async def admitted(request: Request) -> Response:
            admission = admission_of(request)
            until_sent: AsyncExitStack = request.scope["fastapi_inner_astack"]
            until_sent.enter_context(admission.place())
            await admission.turn()
            return await handler(request)

        return admitted


def admission_of(connection: HTTPConnection) -> Admission:
    """The admission of the application that serves a connection."""
    return connection.app.state.admission


class Inspections:
    """Counts the requests that wait for an inspector or have one at work.

    Used on the event loop only. Jobs are no requests: they always wait.

    Args:
        places: How many at one time.
    """

    def __init__(self, places: int = MAX_INSPECTIONS) -> None:
        self.places = places
        self.num_inside = 0

    def check_room(self) -> None:
        """Check that there is a place for one more, such as before its body comes.

        Raises:
            Problem: `queue-full`, 429, if there is none.
        """
        if self.num_inside >= self.places:
            raise Problem(
                "queue-full",
                f"{self.num_inside} requests of {self.places} wait for an "
                "inspector or have one at work.",
                retry_after_seconds=INSPECTION_RETRY_SECONDS,
            )

    @contextmanager
    def place(self) -> Generator[None]:
        """A place for one request whose body has come.

        Raises:
            Problem: `queue-full`, 429, if there is none.
        """
        self.check_room()
        self.num_inside += 1
        try:
            yield
        finally:
            self.num_inside -= 1
