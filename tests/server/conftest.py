"""The real server as a subprocess, its stores, and an application that idles."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from nvs.api.system import Quotas
from nvs_server.app import create_app
from nvs_server.compute.protocol import (
    BackendStatus,
    CacheStatus,
    ChildStatus,
    Picture,
    RenderOrder,
)
from nvs_server.settings import Settings
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore

BASE_URL = "http://127.0.0.1"
WAIT_SECONDS = 90


@dataclass
class Served:
    """A running `nvs serve`."""

    base_url: str
    data_folder: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    said: threading.Condition = field(default_factory=threading.Condition)

    @property
    def pid(self) -> int:
        return self.process.pid

    def read(self) -> None:
        """Follow the log until the server ends."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self.said:
                    self.lines.append(line)
                    self.said.notify_all()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The entries so far."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first log entry of an event, once it is there."""

        def found() -> dict[str, Any] | None:
            return next((one for one in self.log if one["event"] == event), None)

        with self.said:
            assert self.said.wait_for(found, WAIT_SECONDS), self.lines
        entry = found()
        assert entry is not None
        return entry

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS)


def environment(data_folder: Path, **settings: Any) -> dict[str, str]:
    """The environment of a server with these settings."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NVS_")}
    values = {
        "host": "127.0.0.1",
        "port": 0,
        "data_folder": data_folder,
        "devices": "cpu",
        "threads": 1,
        "log_format": "json",
    } | settings
    return clean | {f"NVS_{k.upper()}": str(v) for k, v in values.items()}


def start(data_folder: Path, **settings: Any) -> Served:
    """Start `nvs serve` and wait for it to say where it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nvs.cli", "serve"],
        env=environment(data_folder, **settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served("", data_folder, process)
    threading.Thread(target=served.read, daemon=True).start()
    try:
        served.base_url = served.wait_for("listening")["url"]
        assert httpx.get(served.base_url + "/readyz").status_code == 200
    except BaseException:
        end(served)
        raise
    return served


def end(served: Served) -> None:
    if served.process.poll() is None:
        try:
            served.stop()
        finally:
            served.process.kill()
            served.process.wait()


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


def make_key(data_folder: Path) -> str:
    """A key of a server that has not started yet."""
    data_folder.mkdir(exist_ok=True)
    database = Database(f"sqlite:///{data_folder}/nvs.sqlite")
    database.migrate()
    _, secret = KeyStore(database).create(
        name="a", owner="a", scopes=["read", "write", "render"], quotas=Quotas()
    )
    database.dispose()
    return secret


class IdleBackend:
    """A backend that is ready; its renders wait until `let_go` is set."""

    def __init__(self) -> None:
        self.state = "ready"
        self.let_go = asyncio.Event()
        self.num_cancelled = 0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def models(self) -> list[Any]:
        return []

    def status(self) -> BackendStatus:
        child = ChildStatus(device="cpu", state=self.state, num_restarts=1, pid=1)
        cache = CacheStatus(
            tier="host", bytes=10, bytes_limit=100, scenes=1, hits=3, evictions=0
        )
        return BackendStatus(
            workers=(child,),
            inspectors=(child,),
            cache=(cache,),
            num_renders=0,
            num_jobs=0,
            images_total=7,
            batches_total=2,
        )

    async def render(self, order: RenderOrder) -> list[Picture]:
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.num_cancelled += 1
            raise
        return []


@pytest.fixture
def idle_backend() -> IdleBackend:
    return IdleBackend()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path / "data")


@pytest.fixture
def client(settings: Settings, idle_backend: IdleBackend) -> Iterator[TestClient]:
    """The application in this process, open, without anything that computes."""
    app = create_app(settings, idle_backend)
    with TestClient(app, base_url=BASE_URL, raise_server_exceptions=False) as client:
        yield client
