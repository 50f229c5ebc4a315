"""A service that fails on demand, and clients of both kinds for it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nvs.client import AsyncClient, Client, Retries

AT_ONCE = Retries(first_seconds=0.001, longest_seconds=0.002)


def load_service() -> Any:
    name = "nvs_fake_service"
    if name not in sys.modules:
        file = Path(__file__).parent / "service.py"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def fakes() -> Any:
    """The module of the fake service."""
    return load_service()


@pytest.fixture
def service(fakes: Any) -> Iterator[Any]:
    with fakes.running() as running:
        yield running


@pytest.fixture
def client(service: Any) -> Iterator[Client]:
    with Client(service.url, retries=AT_ONCE) as client:
        yield client


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, service: Any) -> Callable[..., Any]:
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
    frames = [{"file_path": f"./images/{index}.png"} for index in range(2)]
    (folder / "opencv_cameras.json").write_text(json.dumps(frames))
    return folder
