"""The application with a fake backend, without a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from nvs_server.app import create_app
from nvs_server.settings import Settings
from tests.fakes.api import Api
from tests.fakes.backend import FakeBackend

BASE_URL = "http://127.0.0.1"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Tracebacks are not drawn for nobody, which takes long."""
    with capture_logs():
        yield


@pytest.fixture
def start(settings: Settings, backend: FakeBackend) -> Iterator[Callable[..., Api]]:
    """Starts the application with some settings."""
    clients: list[TestClient] = []

    def begin(**changes: Any) -> Api:
        app = create_app(settings.model_copy(update=changes), backend)
        client = TestClient(app, base_url=BASE_URL, raise_server_exceptions=False)
        clients.append(client)
        client.__enter__()
        assert client.portal is not None
        return Api(client, app, backend, client.portal)

    yield begin
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def api(start: Callable[..., Api]) -> Api:
    return start()
