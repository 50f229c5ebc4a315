"""A real server for a trial: `nvs serve` as a process, its numbers, its end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from nvs.client import AsyncClient, Client
from nvs.scene import Scene
from tests.served import Served, end, start

POLL_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Service:
    """A running server with one worker of one thread."""

    served: Served

    @property
    def url(self) -> str:
        return self.served.base_url

    def add(self, scene: Scene, name: str = "scene") -> str:
        """Upload a scene file; the id of its scene."""
        with tempfile.TemporaryDirectory() as folder, Client(self.url) as client:
            file = Path(folder) / "uploaded.scene"
            scene.save(file)
            made = client.create_scene(name)
            return client.upload_scene_file(made.id, file).id

    def metric(self, name: str, **labels: str) -> float:
        """A sample of /metrics; 0 if it was never counted."""
        text = httpx.get(f"{self.url}/metrics").raise_for_status().text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def processes(self) -> dict[str, psutil.Process]:
        """The gateway and its children, by what they are."""
        gateway = psutil.Process(self.served.pid)
        found = {"gateway": gateway}
        for child in gateway.children():
            role = next(
                word for word in child.cmdline() if word.startswith("nvs_server.")
            )
            role = role.removeprefix("nvs_server.compute.")
            count = sum(known.startswith(role) for known in found)
            found[f"{role} {count + 1}"] = child
        return found


@contextmanager
def service(**settings: Any) -> Generator[Service]:
    """A server on a free port with an empty data folder; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="nvs-load-") as folder:
        served = start(Path(folder) / "data", **settings)
        try:
            yield Service(served)
        finally:
            end(served)


async def renders_are(client: AsyncClient, count: int) -> None:
    """Return once so many renders are in the house."""
    while (await client.capacity()).queue.renders != count:
        await asyncio.sleep(POLL_SECONDS)
