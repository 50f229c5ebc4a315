"""A real backend on an event loop of its own, with a scene built through it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from nvs.api.cameras import PosedCamera
from nvs.api.jobs import BuildRequest, ListedViews
from nvs.api.renders import PictureOptions
from nvs.assets import SAMPLE
from nvs.cameras import Camera, orbit
from nvs.files import file_sha256
from nvs.scene import Renderer
from nvs_server.compute import processes
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.orders import (
    BuildOrder,
    Picture,
    PreparedViews,
    PrepareOrder,
    RenderOrder,
)
from nvs_server.settings import ClusterSettings, ComputeSettings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import SceneFile, SceneRef

SIZE = 64
VIEWS = [0, 3, 6, 9]
WAIT_SECONDS = 120

Result = TypeVar("Result")


class Running:
    """A backend whose event loop runs on a thread, and what tests ask it for."""

    def __init__(
        self,
        settings: ComputeSettings,
        backend: Callable[[Any], LocalBackend] = LocalBackend,
    ) -> None:
        self.backend = backend(settings)
        self._settings = settings
        self._kind = backend
        self.blobs = Blobs(settings.blobs, settings.cache_folder, 2**30)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def another(self, **changes: Any) -> Running:
        """One more of the same kind with other settings, started."""
        other = Running(self._settings.model_copy(update=changes), self._kind)
        other.run(other.backend.start())
        return other

    def begin(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Start work; cancelling the future cancels its task."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do work and return its result."""
        return self.begin(work).result(WAIT_SECONDS)

    def stop(self) -> None:
        """End the processes and the loop."""
        self.run(self.backend.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def worker_pid(self) -> int:
        """The worker's process."""
        pid = self.backend.status().workers[0].pid
        assert pid is not None
        return pid

    def wait_ready(self) -> None:
        """Return once the worker takes requests."""
        self.run(self._until_ready())

    async def _until_ready(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not self.backend._workers[0].is_ready:
                await asyncio.sleep(0.01)

    def store(self, file: Path, scene_id: str = "scene") -> SceneRef:
        """Put a scene file into the blob store."""
        copy = file.with_suffix(".copy")
        shutil.copy(file, copy)
        sha256 = file_sha256(copy)
        num_bytes = copy.stat().st_size
        self.blobs.put_file(copy, sha256)
        return SceneRef(
            scene_id=scene_id,
            sha256=sha256,
            num_bytes=num_bytes,
            weights="lact_small",
        )

    def render(self, scene: SceneRef, camera: Camera, **values: Any) -> list[Picture]:
        """Pictures of an order that `order` makes."""
        return self.run(self.backend.render(self.order(scene, camera, **values)))

    @staticmethod
    def posed(camera: Camera) -> tuple[PosedCamera, ...]:
        """Cameras as an order has them."""
        return tuple(
            PosedCamera(world_from_camera=pose, fx=fx, fy=fy, cx=cx, cy=cy)
            for pose, (fx, fy, cx, cy) in zip(
                camera.world_from_camera.tolist(),
                camera.intrinsics.tolist(),
                strict=True,
            )
        )

    @staticmethod
    def around(num_views: int, size: int = SIZE) -> Camera:
        """Cameras on a circle around the sample."""
        return orbit(
            num_views,
            radius=2.7,
            elevation_radians=0.2,
            hfov_radians=0.87,
            height=size,
            width=size,
        )

    @staticmethod
    def order(scene: SceneRef, camera: Camera, **values: Any) -> RenderOrder:
        """An order for raw numbers, unless told otherwise."""
        size = {"height": camera.height, "width": camera.width}
        return RenderOrder(
            scene=scene,
            cameras=Running.posed(camera),
            options=PictureOptions(**size | {"format": "float32"} | values),
        )


def ignore(*_: object) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="session")
def local_settings(tmp_path_factory: pytest.TempPathFactory) -> ComputeSettings:
    folder = tmp_path_factory.mktemp("backend")
    return ComputeSettings(
        compile=False,
        data_folder=folder,
        threads=1,
        devices=("cpu",),
        precision="float32",
    )


@pytest.fixture(scope="session", autouse=True)
def _soon() -> Iterator[None]:
    """Workers are started again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "WORKER_RESTART_SECONDS", 0.01)
        yield


CLUSTER = """
import ray, sys
context = ray.init(
    address="local",
    num_cpus=8,  # shares, not cores
    object_store_memory=100 * 2**20,
    include_dashboard=False,
    log_to_driver=False,
    logging_level="error",
)
print(context.address_info["address"], flush=True)
sys.stdin.read()
ray.shutdown()
"""


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Of a small Ray cluster on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "0" * 64)
        pytest.importorskip("ray")  # reads them
        cluster = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with cluster:
            assert cluster.stdout is not None
            yield cluster.stdout.readline().strip()
            assert cluster.stdin is not None
            cluster.stdin.close()


@pytest.fixture(
    scope="session", params=["local", pytest.param("ray", marks=pytest.mark.slow)]
)
def running(
    request: pytest.FixtureRequest, local_settings: ComputeSettings
) -> Iterator[Running]:
    """The backend that the tests are about; each takes the same tests."""
    if request.param == "local":
        running = Running(local_settings)
    else:
        address = request.getfixturevalue("ray_address")
        from nvs_server.compute.cluster import RayBackend

        values = local_settings.model_dump() | {"ray_address": address}
        running = Running(ClusterSettings(**values), RayBackend)
    running.run(running.backend.start())
    yield running
    running.stop()


@pytest.fixture
def start() -> Iterator[Callable[[ComputeSettings], Running]]:
    """Starts other backends, for tests that need one to themselves."""
    started: list[Running] = []

    def run(settings: ComputeSettings) -> Running:
        started.append(Running(settings))
        started[-1].run(started[-1].backend.start())
        return started[-1]

    yield run
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def prepared(
    running: Running, tmp_path_factory: pytest.TempPathFactory
) -> PreparedViews:
    order = PrepareOrder(
        folder=SAMPLE,
        output=tmp_path_factory.mktemp("prepared"),
        request=BuildRequest(size=SIZE, views=ListedViews(indices=VIEWS)),
    )
    return running.run(running.backend.prepare(order, ignore))


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the scene file that is `built`."""
    return tmp_path_factory.mktemp("built") / "sample.scene"


@pytest.fixture(scope="session")
def built(running: Running, prepared: PreparedViews, path: Path) -> SceneFile:
    order = BuildOrder(views=prepared.views, output=path, weights=prepared.weights)
    return running.run(running.backend.build(order, ignore))


@pytest.fixture(scope="session")
def scene(running: Running, built: SceneFile, path: Path) -> SceneRef:
    assert built.num_bytes == path.stat().st_size
    return running.store(path)


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    return Renderer.from_weights(device="cpu")


@pytest.fixture
def _one_thread() -> Iterator[None]:
    """As many threads as the worker has: their number may change the rounding."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
