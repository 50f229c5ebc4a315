"""The real application over the fake backend, at an address, behind the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import delete

from nvs.api.system import Quotas
from nvs_server.app import create_app
from nvs_server.app import running as app_running
from nvs_server.edge.connections import PromptHeads, PromptStreams
from nvs_server.serve import bind, url_of
from nvs_server.settings import Settings
from nvs_server.storage.tables import KeyRow
from tests.fakes.api import Api
from tests.fakes.backend import SCENE_MAGIC, FakeBackend
from tests.fakes.proxy import Proxy

OWNER = "local"
"""Also of what is made while no key is needed."""
UNLIMITED = {"rate_per_minute": 10**6, "quota_builds_per_day": 10**6}


class Service(Api):
    """What a client's tests see: an address, what came there, what is to go wrong.

    The methods of `Api` go past the proxy, and are not noted.
    """

    proxy: Proxy

    @property
    def url(self) -> str:
        return self.proxy.url

    def key(self) -> str:
        """A new key, the only one that is valid; from the first on callers need one."""
        with self.state.database.write() as session:
            session.execute(delete(KeyRow))
        _, secret = self.state.keys.create(
            name="laptop",
            owner=OWNER,
            scopes=("read", "render", "write"),
            quotas=Quotas(),
        )
        self.headers = {"Authorization": f"Bearer {secret}"}
        return secret

    def stored(self, content: bytes = SCENE_MAGIC, **fields: Any) -> str:
        """A scene that is ready, with this scene file."""
        scene_id = self.make(**fields)
        self.store(scene_id, content)
        return scene_id

    def store(self, scene_id: str, content: bytes) -> None:
        """Give a scene another scene file."""
        kind = "application/octet-stream"
        answer = self.put(scene_id, "file", content, kind)
        assert answer.status_code in (200, 201), answer.text

    def refresh(self) -> None:
        """As it was, but for its scenes and jobs: open, whole, nothing held."""
        self.proxy.faults.clear()
        self.proxy.requests.clear()
        self.headers = {}
        self.on_loop(self.backend.refresh)
        with self.state.database.write() as session:
            session.execute(delete(KeyRow))


@contextmanager
def running(folder: Path, backend: FakeBackend, **settings: Any) -> Generator[Service]:
    """The service on free ports of loopback, in a thread of its own."""
    app = create_app(Settings(data_folder=folder, **UNLIMITED, **settings), backend)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_listening(app)) as proxy,
        httpx.Client(base_url=proxy.service_url, timeout=60) as client,
    ):
        service = Service(client, app, backend, portal)
        service.proxy = proxy
        yield service


@asynccontextmanager
async def _listening(app: FastAPI) -> AsyncGenerator[Proxy]:
    config = uvicorn.Config(
        app,
        lifespan="off",
        http=PromptHeads,
        ws=PromptStreams,
        log_config=None,
        access_log=False,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with closing(bind("127.0.0.1", 0)) as listener:
        async with app_running(app):
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            proxy = Proxy(url_of(listener))
            async with proxy.running():
                yield proxy
            server.should_exit = True
            await serving
