from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request

from nvs_server.edge import admission as module
from nvs_server.edge import problems, requests
from nvs_server.edge.admission import Admission, AdmittedRoute
from nvs_server.edge.connections import run_while_connected
from nvs_server.edge.problems import Problem


class Clock:
    now = 50.0

    def monotonic(self) -> float:
        return self.now


def test_as_many_renders_as_there_are_places() -> None:
    admission = Admission(max_renders=2, max_streams=1)
    with admission.place(), admission.place():
        with (
            pytest.raises(Problem, match="2 renders of 2") as caught,
            admission.place(),
        ):
            pass
        assert caught.value.slug == "queue-full"
    with admission.place():
        assert admission.num_renders == 1
    assert admission.num_renders == 0


def test_a_place_is_given_back_after_an_error() -> None:
    admission = Admission(max_renders=1, max_streams=1)
    with pytest.raises(ZeroDivisionError), admission.place():
        raise ZeroDivisionError
    assert admission.num_renders == 0


def test_retry_after_follows_the_measured_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    admission = Admission(max_renders=4, max_streams=1)
    for _ in range(100):
        with admission.place():
            clock.now += 3.0
        clock.now += 1000.0
    assert admission.seconds_per_render == pytest.approx(3.0, abs=0.01)
    with admission.place(), admission.place(), admission.place(), admission.place():
        with pytest.raises(Problem) as caught, admission.place():
            pass
    assert caught.value.headers["Retry-After"] == "12"


def test_who_is_turned_away_later_comes_back_later() -> None:
    admission = Admission(max_renders=2, max_streams=1)
    admission.seconds_per_render = 3.0

    def turned_away() -> str:
        with pytest.raises(Problem) as caught:
            admission.check_room()
        return caught.value.headers["Retry-After"]

    with admission.place():
        with admission.place():
            assert [turned_away() for _ in range(10)] == [
                *("6", "9", "12", "15", "18", "21", "24", "27", "30", "30")
            ]
            admission.seconds_per_render = 3.0
        admission.seconds_per_render = 3.0
        with admission.place():
            assert turned_away() == "27"


def test_renders_done_together_count_as_a_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    admission = Admission(max_renders=4, max_streams=1)
    for _ in range(100):
        with admission.place(), admission.place():
            clock.now += 3.0
    assert admission.seconds_per_render == pytest.approx(1.5, abs=0.1)


def test_nothing_is_let_in_while_draining() -> None:
    admission = Admission(max_renders=1, max_streams=1)
    admission.draining.set()
    for place in (admission.place, admission.stream):
        with pytest.raises(Problem) as caught, place():
            pass
        assert caught.value.slug == "draining"


def test_streams_are_counted_apart() -> None:
    admission = Admission(max_renders=1, max_streams=1)
    with admission.stream():
        with pytest.raises(Problem, match="1 streams of 1"), admission.stream():
            pass
        with admission.place():
            pass
    assert admission.num_streams == 0


def test_a_full_house_refuses_before_the_body_is_read(app: FastAPI) -> None:
    client = Connection(stays=True)
    with app.state.admission.place():
        asyncio.run(client.post(app))
    assert client.status == 429
    assert client.num_received == 0


def test_a_client_that_leaves_frees_its_place_and_ends_its_work(app: FastAPI) -> None:
    client = Connection(stays=False)
    asyncio.run(client.post(app))
    assert client.num_received == 2
    assert app.state.ended == ["cancelled"]
    assert app.state.admission.num_renders == 0
    assert client.status == 499


@pytest.fixture
def app() -> FastAPI:
    """One place; its render runs until its client leaves."""
    router = APIRouter(prefix="/v1", route_class=AdmittedRoute)
    app = FastAPI()
    app.state.admission = Admission(max_renders=1, max_streams=1)
    app.state.ended = []

    @router.post("/render")
    async def render(request: Request, body: dict[str, int]) -> None:
        async def work() -> None:
            assert app.state.admission.num_renders == 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                app.state.ended.append("cancelled")
                raise

        await run_while_connected(request, work())

    app.include_router(router)
    for kind in problems.HANDLED:
        app.add_exception_handler(kind, requests.answer)
    return app


class Connection:
    """A client that sends a body and then stays or leaves."""

    def __init__(self, *, stays: bool) -> None:
        self.stays = stays
        self.num_received = 0
        self.status: int | None = None

    async def post(self, app: FastAPI) -> None:
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/render",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
            "state": {},
        }
        await app(scope, self.receive, self.send)

    async def receive(self) -> dict[str, Any]:
        self.num_received += 1
        if self.num_received == 1:
            return {"type": "http.request", "body": b"{}", "more_body": False}
        if self.stays:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
