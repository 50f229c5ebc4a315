"""Two gateways over one PostgreSQL and one S3 store: neither keeps anything alone.

Each is an application with its own connections, folder and caches, as on two machines
behind a balancer that sends every request to either.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from nvs_server.app import create_app
from nvs_server.settings import Settings
from nvs_server.storage.records import KeyRecord, Quotas
from tests.fakes.api import RENDER, Api, picture, refused
from tests.fakes.backend import FakeBackend

WAIT_SECONDS = 60


@pytest.fixture
def gateways(postgres_url: str, s3_url: str, tmp_path: Path) -> Iterator[list[Api]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS gateways WITH (FORCE)")
        connection.execute("CREATE DATABASE gateways")
    url = postgres_url.replace("/postgres?", "/gateways?")
    started: list[Api] = []
    clients: list[TestClient] = []
    for name in ("first", "second"):
        backend = FakeBackend()
        settings = Settings(
            data_folder=tmp_path / name,
            database_url=url.replace("postgresql:", "postgresql+psycopg:"),
            blobs_url=s3_url,
        )
        app = create_app(settings, backend)
        client = TestClient(app, base_url="http://127.0.0.1")
        client.__enter__()
        clients.append(client)
        assert client.portal is not None
        started.append(Api(client, app, backend, client.portal))
    yield started
    for client in clients:
        client.__exit__(None, None, None)


Key = Callable[..., KeyRecord]


@pytest.fixture
def key(gateways: list[Api]) -> Key:
    """Makes a key, which both gateways are asked with from then on."""

    def make(**quotas: int) -> KeyRecord:
        record, secret = gateways[0].state.keys.create(
            name="ada",
            owner="ada",
            scopes=("read", "write", "render"),
            quotas=Quotas(**quotas),
        )
        for api in gateways:
            api.headers = {"Authorization": f"Bearer {secret}"}
        return record

    return make


def test_a_stream_takes_the_ticket_of_the_other_gateway_and_ends_with_its_key(
    gateways: list[Api], key: Key
) -> None:
    first, second = gateways
    record = key()
    scene_id = first.built()
    ticket = first.call("POST", "/v1/tickets").json()["ticket"]
    url = f"ws://127.0.0.1/v1/scenes/{scene_id}/stream?ticket={ticket}"

    def told(socket: Any) -> dict[str, Any]:
        return json.loads(socket.receive_text())

    with second.client.websocket_connect(url) as stream:
        assert told(stream)["type"] == "ready"
        with first.client.websocket_connect(url) as again:  # used up, here too
            assert told(again)["problem"]["type"].endswith("ticket-refused")
        stream.send_json({"sequence": 1} | RENDER)
        stream.receive_bytes()
        assert first.state.keys.revoke(record.id)
        stream.send_json({"sequence": 2} | RENDER)
        assert told(stream)["problem"]["type"].endswith("unknown-key")
    for api in gateways:
        refused(api.call("GET", "/v1/scenes"), 401, "unknown-key")


def test_quotas_count_what_either_gateway_has_taken(
    gateways: list[Api], key: Key
) -> None:
    first, second = gateways
    key(scenes=2, bytes=3 * len(picture()), builds_per_day=1)
    scene_id = first.make()
    assert first.put(scene_id, "images/a.png", picture(0)).status_code == 201
    assert second.put(scene_id, "images/b.png", picture(1)).status_code == 201
    second.make()
    for api in gateways:
        answer = api.call("POST", "/v1/scenes", json={"name": "third"})
        refused(answer, 403, "quota-exceeded")
        answer = api.put(scene_id, "images/c.png", picture(2) * 2)
        refused(answer, 403, "quota-exceeded")


def test_a_job_is_watched_and_cancelled_from_the_other_gateway(
    gateways: list[Api], key: Key
) -> None:
    key()
    first, second = gateways
    scene_id = first.uploaded()
    for api in gateways:  # either may run it
        api.hold("build")
    job_id = first.build(scene_id).json()["id"]
    begun = threading.Event()

    def watch() -> list[str]:
        path = f"/v1/jobs/{job_id}/events"
        begun.set()
        answer = second.call("GET", path)
        lines = answer.text.splitlines()
        return [json.loads(line[6:])["state"] for line in lines if line[:5] == "data:"]

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        assert begun.wait(WAIT_SECONDS)
        cancel = second.call("POST", f"/v1/jobs/{job_id}/cancel")
        assert cancel.status_code == 200, cancel.text
        assert watching.result(WAIT_SECONDS)[-1] == "cancelled"
    for api in gateways:
        api.let_go("build")
        assert api.call("GET", f"/v1/jobs/{job_id}").json()["state"] == "cancelled"
    again = second.build(scene_id).json()["id"]
    assert first.ended(again)["state"] == "succeeded"
    assert second.scene(scene_id)["state"] == "ready"
    picture_of = [
        api.call("POST", f"/v1/scenes/{scene_id}/render", json=RENDER).content
        for api in gateways
    ]
    assert picture_of[0] == picture_of[1]
