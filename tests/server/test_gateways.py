"""Two gateways over one PostgreSQL and one S3 store: neither keeps anything alone.

Each is an application with its own connections, folder and caches, as on two machines
behind a balancer that sends every request to either.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from nvs.assets import SAMPLE
from nvs.client import Client, LookAt
from nvs_server.app import create_app
from nvs_server.settings import Settings
from nvs_server.storage.records import KeyRecord, Quotas
from tests.fakes.api import RENDER, Api, picture, refused
from tests.fakes.backend import FakeBackend
from tests.served import Served, environment

WAIT_SECONDS = 60


@pytest.fixture
def database_url(postgres_url: str) -> str:
    """An empty database."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS gateways WITH (FORCE)")
        connection.execute("CREATE DATABASE gateways")
    url = postgres_url.replace("/postgres?", "/gateways?")
    return url.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
def gateways(database_url: str, s3_url: str, tmp_path: Path) -> Iterator[list[Api]]:
    started: list[Api] = []
    clients: list[TestClient] = []
    for name in ("first", "second"):
        backend = FakeBackend()
        settings = Settings(
            data_folder=tmp_path / name,
            database_url=database_url,
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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_share_jobs_tickets_and_keys(
    serve: Callable[..., Served], database_url: str, s3_url: str, tmp_path: Path
) -> None:
    """The same with two of `nvs serve`, each with its own worker."""
    stores = {"database_url": database_url, "blobs_url": s3_url}
    first, second = (
        serve(data_folder=tmp_path / name, **stores) for name in ("first", "second")
    )

    def keys(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "nvs.cli", "keys", *arguments],
            env=environment(first.data_folder, **stores),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    (secret,) = re.findall(r"nvs_\S+", keys("create", "ada"))
    (ada,) = json.loads(keys("list", "--json"))
    with (
        Client(first.base_url, key=secret) as one,
        Client(second.base_url, key=secret) as other,
    ):
        scene = one.create_scene("chicken")
        one.upload_dataset(scene.id, SAMPLE)
        job = one.build(scene.id, size=64, wait=False)
        stages: list[str] = []
        ended = other.wait(job.id, on_progress=lambda now: stages.append(now.state))
        assert (ended.state, stages[-1]) == ("succeeded", "succeeded")
        camera = LookAt(eye=(2.5, 0, 1), target=(0, 0, 0), vertical_fov_degrees=50)
        shown = [
            each.render(scene.id, camera, height=64, width=64) for each in (one, other)
        ]
        assert shown[0].data == shown[1].data
    headers = {"Authorization": f"Bearer {secret}"}

    def stream(opened: Served, ticket_of: Served) -> ClientConnection:
        made = httpx.post(f"{ticket_of.base_url}/v1/tickets", headers=headers)
        url = f"{opened.base_url.replace('http', 'ws', 1)}/v1/scenes/{scene.id}/stream"
        return connect(f"{url}?ticket={made.json()['ticket']}")

    with stream(second, first) as here, stream(first, second) as there:
        for opened in (here, there):
            assert json.loads(opened.recv())["type"] == "ready"
            opened.send(json.dumps({"sequence": 1} | RENDER))
            assert isinstance(opened.recv(), bytes)
        keys("revoke", ada["id"])
        for opened in (here, there):
            opened.send(json.dumps({"sequence": 2} | RENDER))
            problem = json.loads(opened.recv())["problem"]
            assert problem["type"].endswith("unknown-key")
            with pytest.raises(ConnectionClosed):
                opened.recv()
    for served in (first, second):
        answer = httpx.get(f"{served.base_url}/v1/scenes", headers=headers)
        assert answer.status_code == 401
