from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from nvs.api.system import Quotas
from nvs_server.edge import problems, requests
from nvs_server.edge.admission import Admission
from nvs_server.edge.callers import Authentication
from nvs_server.edge.requests import RequestTelemetry
from nvs_server.metrics import Metrics
from nvs_server.routes.dependencies import Caller, RenderCaller, Writer
from nvs_server.settings import Settings
from nvs_server.storage.database import Database
from nvs_server.storage.errors import StorageUnavailable
from nvs_server.storage.keys import KeyStore, TicketStore
from nvs_server.storage.records import KeyRecord

STREAM = "ws://127.0.0.1/v1/stream"
Make = Callable[..., TestClient]


class Clock:
    now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path, clock: Clock) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/keys.sqlite", clock=clock)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def keys(database: Database) -> KeyStore:
    return KeyStore(database)


@pytest.fixture
def tickets(database: Database) -> TicketStore:
    return TicketStore(database)


@pytest.fixture
def make(keys: KeyStore, tickets: TicketStore, tmp_path: Path) -> Make:
    """A small application behind the real middleware and dependencies."""

    def client(**settings: Any) -> TestClient:
        app = FastAPI()
        admission = Admission(max_renders=1, max_streams=1)
        app.state.admission = admission

        @app.get("/v1/me")
        def me(caller: Caller) -> dict[str, Any]:
            return {
                "owner": caller.owner,
                "auth": caller.auth,
                "quotas": caller.quotas.model_dump(),
            }

        @app.post("/v1/write")
        def write(caller: Writer) -> str:
            return caller.owner

        @app.get("/open")
        def free() -> str:
            return "open"

        @app.get("/v1/capacity")
        def capacity() -> str:
            return "some"

        @app.websocket("/v1/stream")
        async def stream(websocket: WebSocket, caller: RenderCaller) -> None:
            await websocket.accept()
            await websocket.send_text(caller.owner)
            await websocket.close()

        for kind in problems.HANDLED:
            app.add_exception_handler(kind, requests.answer)
        app.add_middleware(
            Authentication,
            settings=Settings(data_folder=tmp_path, **settings),
            keys=keys,
            tickets=tickets,
            admission=admission,
        )
        app.add_middleware(RequestTelemetry, metrics=Metrics())
        return TestClient(app, base_url="http://127.0.0.1")

    return client


def key(
    keys: KeyStore, *scopes: Any, quotas: Quotas | None = None, **rest: Any
) -> tuple[KeyRecord, dict[str, str]]:
    record, secret = keys.create(
        name="laptop",
        owner="ada",
        scopes=scopes,
        quotas=quotas or Quotas(),
        **rest,
    )
    return record, {"Authorization": f"Bearer {secret}"}


def slug(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["type"].rpartition("/")[2]


def test_loopback_without_keys_is_open(make: Make) -> None:
    answer = make(quota_scenes=7).get("/v1/me").json()
    assert (answer["owner"], answer["auth"]) == ("local", "open")
    assert answer["quotas"]["scenes"] == 7


def test_a_public_address_is_never_open(make: Make) -> None:
    answer = make(host="0.0.0.0").get("/v1/me")
    assert (answer.status_code, slug(answer)) == (401, "no-key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_first_key_closes_the_server_for_good(make: Make, keys: KeyStore) -> None:
    client = make()
    assert client.get("/v1/me").status_code == 200
    record, headers = key(keys, "read")
    assert slug(client.get("/v1/me")) == "no-key"
    assert client.get("/v1/me", headers=headers).json()["owner"] == "ada"
    keys.revoke(record.id)
    assert slug(client.get("/v1/me", headers=headers)) == "unknown-key"
    assert slug(client.get("/v1/me")) == "no-key"
    assert client.get("/open").status_code == 200


def test_an_expired_key_is_refused(make: Make, keys: KeyStore, clock: Clock) -> None:
    _, headers = key(keys, "read", expires_at=clock.now + timedelta(seconds=1))
    assert make().get("/v1/me", headers=headers).status_code == 200
    clock.now += timedelta(seconds=1)
    assert slug(make().get("/v1/me", headers=headers)) == "unknown-key"


@pytest.mark.parametrize(
    "header",
    [
        "nvs_" + "a" * 43,
        "Bearer " + "nvs_" + "a" * 43,
        "Bearer nvs_short",
        "Bearer nvs_" + "a" * 44,
        "Basic YTpi",
        "Bearer",
        "",
    ],
)
def test_wrong_headers_are_refused_even_when_open(make: Make, header: str) -> None:
    answer = make().get("/v1/me", headers={"Authorization": header})
    assert (answer.status_code, slug(answer)) == (401, "unknown-key")


def test_scopes(make: Make, keys: KeyStore) -> None:
    client = make()
    _, reader = key(keys, "read")
    _, writer = key(keys, "read", "write")
    _, admin = key(keys, "admin")
    refused = client.post("/v1/write", headers=reader)
    assert (refused.status_code, slug(refused)) == (403, "scope-missing")
    assert refused.json()["detail"] == (
        "The key 'laptop' has the scopes read; this needs write."
    )
    assert client.post("/v1/write", headers=writer).json() == "ada"
    assert client.post("/v1/write", headers=admin).json() == "ada"


def test_a_keys_own_limits_win(make: Make, keys: KeyStore) -> None:
    _, headers = key(keys, "read", quotas=Quotas(scenes=3), rate_per_minute=2)
    client = make(quota_bytes=100)
    quotas = client.get("/v1/me", headers=headers).json()["quotas"]
    assert quotas == {"scenes": 3, "bytes": 100, "builds_per_day": 1000}
    assert client.get("/v1/me", headers=headers).status_code == 200
    answer = client.get("/v1/me", headers=headers)
    assert (answer.status_code, slug(answer)) == (429, "rate-limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 30


def test_while_draining_only_capacity_answers(make: Make) -> None:
    client = make()
    client.app.state.admission.draining.set()
    answer = client.get("/v1/me")
    assert (answer.status_code, slug(answer)) == (503, "draining")
    assert answer.headers["retry-after"] == "2"
    assert client.get("/v1/capacity").status_code == 200
    assert _refused_stream(client, STREAM) == ("draining", 1012)


def test_a_database_that_does_not_answer(
    make: Make, keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> bool:
        raise StorageUnavailable("the database", "connection refused")

    monkeypatch.setattr(keys, "any", down)
    answer = make().get("/v1/me")
    assert (answer.status_code, slug(answer)) == (503, "storage-unavailable")


def test_streams_take_a_ticket_or_a_key(
    make: Make, keys: KeyStore, tickets: TicketStore
) -> None:
    client = make()
    record, headers = key(keys, "render")
    with client.websocket_connect(STREAM, headers=headers) as websocket:
        assert websocket.receive_text() == "ada"
    assert _refused_stream(client, STREAM) == ("no-key", 4401)
    ticket = tickets.issue(record.id)
    with client.websocket_connect(f"{STREAM}?ticket={ticket}") as websocket:
        assert websocket.receive_text() == "ada"
    again = _refused_stream(client, f"{STREAM}?ticket={ticket}")
    assert again == ("ticket-refused", 4401)


def test_a_streams_scope_is_checked(
    make: Make, keys: KeyStore, tickets: TicketStore
) -> None:
    record, _ = key(keys, "read")
    refused = _refused_stream(make(), f"{STREAM}?ticket={tickets.issue(record.id)}")
    assert refused == ("scope-missing", 4403)


def test_a_ticket_is_worth_no_more_than_its_key(
    make: Make, keys: KeyStore, tickets: TicketStore
) -> None:
    client = make()
    open_ticket = tickets.issue(None)
    with client.websocket_connect(f"{STREAM}?ticket={open_ticket}") as websocket:
        assert websocket.receive_text() == "local"
    late_ticket = tickets.issue(None)
    record, _ = key(keys, "render")
    refused = _refused_stream(client, f"{STREAM}?ticket={late_ticket}")
    assert refused == ("no-key", 4401)
    ticket = tickets.issue(record.id)
    keys.revoke(record.id)
    refused = _refused_stream(client, f"{STREAM}?ticket={ticket}")
    assert refused == ("unknown-key", 4401)


def _refused_stream(client: TestClient, url: str) -> tuple[str, int]:
    with client.websocket_connect(url) as websocket:
        problem = websocket.receive_json()["problem"]
        with pytest.raises(WebSocketDisconnect) as caught:
            websocket.receive_text()
    return problem["type"].rpartition("/")[2], caught.value.code
