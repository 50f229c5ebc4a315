"""Real servers, their stores, and the application over a fake backend."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from nvs_server.app import create_app
from nvs_server.settings import Settings
from tests.fakes.backend import FakeBackend
from tests.served import WAIT_SECONDS, Served, end, environment, start

BASE_URL = "http://127.0.0.1"


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., str]:
    """Starts a server that cannot start: the one line that it says."""

    def begin(**settings: Any) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "nvs.cli", "serve"],
            env=environment(tmp_path / "data", **settings),
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
        )
        assert ended.returncode == 2, ended.stderr
        assert "Traceback" not in ended.stderr
        (line,) = [one for one in ended.stderr.splitlines() if one[:5] == "nvs: "]
        return line

    return begin


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts real servers: `serve(max_render_queue=1)`; each is stopped at the end."""
    started: list[Served] = []

    def begin(**settings: Any) -> Served:
        folder = Path(settings.pop("data_folder", tmp_path / "data"))
        started.append(start(folder, **settings))
        return started[-1]

    yield begin
    for served in started:
        end(served)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One open real server for all tests that do not mind what is already in it."""
    running = start(tmp_path_factory.mktemp("served"))
    yield running
    end(running)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of the test's own, on a Unix socket."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL's binaries are not in /usr/lib/postgresql/*/bin")
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="nvs-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [found[-1], "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
        user=user,
        cwd=folder,
        check=True,
        capture_output=True,
    )
    control = [found[-1].with_name("pg_ctl"), "-D", data, "-w", "-t", "60"]
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=100"
    subprocess.run(
        [*control, "-l", folder / "log", "-o", options, "start"],
        user=user,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        subprocess.run(
            [*control, "-m", "immediate", "stop"],
            user=user,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server in this process, on loopback."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        "127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket, with the environment that reaches it."""
    bucket = f"nvs-{uuid.uuid4().hex}"
    monkeypatch.setenv("AWS_ENDPOINT", s3_server)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert httpx.put(f"{s3_server}/{bucket}").status_code == 200
    return f"s3://{bucket}/scenes"


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path / "data")


@pytest.fixture
def client(settings: Settings, backend: FakeBackend) -> Iterator[TestClient]:
    """That application in this process, open."""
    app = create_app(settings, backend)
    with TestClient(app, base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client
