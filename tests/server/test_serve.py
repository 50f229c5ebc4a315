"""`nvs serve` as a process: start, drain, refusals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from nvs.errors import ConfigError
from nvs_server.app import create_app, running
from nvs_server.serve import bind
from nvs_server.settings import Settings
from tests.fakes.backend import FakeBackend
from tests.served import make_key

Serve = Callable[..., Any]
Refused = Callable[..., str]


@contextlib.contextmanager
def half_sent(base_url: str, headers: dict[str, str]) -> Generator[socket.socket]:
    """A POST /v1/scenes that the server waits for: half of its body has been sent."""
    body = b'{"name": "chair"}'
    url = httpx.URL(base_url)
    lines = [
        "POST /v1/scenes HTTP/1.1",
        f"Host: {url.netloc.decode()}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Expect: 100-continue",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body[:5])
        yield connection


def finish(connection: socket.socket) -> str:
    """Send the rest; the status line of the answer."""
    connection.sendall(b'{"name": "chair"}'[5:])
    with connection.makefile("rb") as answer:
        return answer.read().split(b"\r\n")[0].decode()


def test_the_gateway_never_loads_torch(served: Any) -> None:
    gateway = psutil.Process(served.pid)
    assert not [m.path for m in gateway.memory_maps() if "libtorch" in m.path]
    workers = [
        child
        for child in gateway.children(recursive=True)
        if any("libtorch" in m.path for m in child.memory_maps())
    ]
    assert workers


def test_the_shared_server_answers(served: Any) -> None:
    with httpx.Client(base_url=served.base_url) as client:
        assert client.get("/v1/me").json()["auth"] == "open"
        assert client.get("/metrics").text.count("nvs_process_ready{") >= 2
        assert client.get("/").headers["content-type"].startswith("text/html")


def test_sigterm_finishes_what_runs_and_lets_nothing_else_in(
    serve: Serve, tmp_path: Path
) -> None:
    data_folder = tmp_path / "data"
    secret = make_key(data_folder)
    headers = {"Authorization": f"Bearer {secret}"}
    served = serve(data_folder=data_folder)
    children = psutil.Process(served.pid).children(recursive=True)
    with httpx.Client(base_url=served.base_url, headers=headers) as client:
        assert httpx.get(served.base_url + "/v1/scenes").status_code == 401
        ticket = client.post("/v1/tickets").json()["ticket"]
        _open_stream(served.base_url, ticket)
        with half_sent(served.base_url, headers) as connection:
            assert client.get("/readyz").status_code == 200
            served.process.terminate()
            assert served.wait_for("draining")["requests"] >= 1
            for path in ("/readyz", "/v1/scenes"):
                refused = client.get(path)
                assert refused.status_code == 503
                assert refused.headers["retry-after"]
                assert refused.json()["type"].endswith("/draining")
            assert client.get("/livez").status_code == 200
            assert finish(connection) == "HTTP/1.1 201 Created"
    assert served.stop() == 0
    served.wait_for("stopped")
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    text = "".join(served.lines)
    assert secret not in text
    assert ticket not in text


@pytest.mark.parametrize(
    ("trusted", "client"),
    [
        ("", "127.0.0.1"),
        pytest.param("127.0.0.0/8", "203.0.113.7", marks=pytest.mark.slow),
    ],
)
def test_only_trusted_proxies_say_who_asks(
    serve: Serve, trusted: str, client: str
) -> None:
    served = serve(trusted_proxies=trusted)
    forwarded = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    httpx.get(f"{served.base_url}/v1/me", headers=forwarded)
    served.stop()
    (entry,) = (one for one in served.log if one.get("route") == "/v1/me")
    assert entry["client"] == client


@pytest.mark.slow
def test_the_drain_time_is_limited(serve: Serve) -> None:
    served = serve(drain_seconds=1)
    with half_sent(served.base_url, {}):
        assert httpx.get(served.base_url + "/readyz").status_code == 200
        assert served.stop() == 0


def test_what_cannot_work_ends_in_one_line(refused: Refused) -> None:
    assert "'no_such_weights'" in refused(weights="no_such_weights")


def test_a_taken_port_is_named() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        message = f"127.0.0.1 port {port}: Address already in use.*0 takes a free one"
        with pytest.raises(ConfigError, match=message):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("no-such-host.invalid", "the host 'no-such-host.invalid' has no address"),
        ("192.0.2.1", "cannot listen on 192.0.2.1 port 0: Cannot assign"),
    ],
)
def test_an_address_that_is_not_here_is_named(host: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bind(host, 0)


def test_a_public_address_needs_amake_key(
    settings: Settings, backend: FakeBackend
) -> None:
    public = settings.model_copy(update={"host": "0.0.0.0"})

    async def start() -> None:
        async with running(create_app(public, backend)):
            pass

    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 can be reached .* no API key"):
        asyncio.run(start())
    make_key(public.data_folder)
    asyncio.run(start())


def _open_stream(base_url: str, ticket: str) -> None:
    """Connect to the stream of a scene that is not there; the server says so."""
    url = base_url.replace("http", "ws") + f"/v1/scenes/{'a' * 26}/stream"
    with connect(f"{url}?ticket={ticket}") as stream:
        assert json.loads(stream.recv())["problem"]["type"].endswith("/not-found")
        with pytest.raises(ConnectionClosed):
            stream.recv()
