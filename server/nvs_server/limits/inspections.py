"""Which requests may wait for an inspector: a bounded number."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from nvs_server.problems import Problem

MAX_INSPECTIONS = 16
RETRY_SECONDS = 10.0
"""Retry-After: how long one takes depends on what it is given."""


class Inspections:
    """Counts the requests that wait for an inspector or have one at work.

    Used on the event loop only. Jobs are no requests: they always wait.
    """

    def __init__(self) -> None:
        self.num_inside = 0

    def check_room(self) -> None:
        """Check that there is a place for one more, such as before its body comes.

        Raises:
            Problem: `queue-full`, 429, if there is none.
        """
        if self.num_inside >= MAX_INSPECTIONS:
            raise Problem(
                "queue-full",
                f"{self.num_inside} requests of {MAX_INSPECTIONS} wait for an "
                "inspector or have one at work.",
                retry_after_seconds=RETRY_SECONDS,
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


async def _inspections(connection: HTTPConnection) -> Inspections:
    return connection.app.state.inspections


InspectionsDep = Annotated[Inspections, Depends(_inspections)]
