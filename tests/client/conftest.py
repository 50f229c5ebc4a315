"""Clients of both kinds for a service that fails on demand, and what they send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nvs.client import AsyncClient, Client, Retries
from tests.fakes.api import opencv
from tests.fakes.service import Service

AT_ONCE = Retries(first_seconds=0.001, longest_seconds=0.002)


@pytest.fixture
def scene_id(service: Service) -> str:
    """A scene that is ready."""
    return service.stored(name="chair", tags=["demo"])


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.url, retries=AT_ONCE) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, service: Service) -> Callable[..., Any]:
    """Calls a method by name, of one client or of the other."""

    def of_client(method: str, *args: Any, **kwargs: Any) -> Any:
        with Client(service.url, retries=AT_ONCE) as client:
            return getattr(client, method)(*args, **kwargs)

    def of_async_client(method: str, *args: Any, **kwargs: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(service.url, retries=AT_ONCE) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(run())

    return of_client if request.param == "sync" else of_async_client


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two images named by an opencv_cameras.json, and a file nobody names."""
    folder = tmp_path / "chair"
    (folder / "images").mkdir(parents=True)
    for index, colour in enumerate(("red", "blue")):
        Image.new("RGB", (48, 32), colour).save(folder / "images" / f"{index}.png")
    Image.new("RGB", (48, 32), "green").save(folder / "unused.png")
    frames = opencv("./images/0.png", "./images/1.png")
    (folder / "opencv_cameras.json").write_text(json.dumps(frames))
    return folder
