"""Work that is cancelled, processes that are killed, a gateway that vanishes."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nvs.api.jobs import BuildRequest, ListedViews
from nvs.api.renders import Orbit, VideoRequest
from nvs.assets import SAMPLE
from nvs.errors import SceneFileError
from nvs.tensor_file import read_tensors
from nvs_server.compute import child as child_module
from nvs_server.compute.orders import (
    BuildOrder,
    PreparedViews,
    PrepareOrder,
    VideoOrder,
)
from nvs_server.compute.protocol import WorkerLost
from nvs_server.settings import ComputeSettings
from nvs_server.storage.records import SceneFile, SceneRef

Running = Any
"""The fixture's class."""
SIZE = 64
NUM_LARGE = 8
WAIT_SECONDS = 120

GATEWAY = """
import asyncio, sys
from pathlib import Path
from nvs_server.compute.orders import (BuildOrder)
from nvs_server.compute.local import LocalBackend
from nvs_server.settings import ComputeSettings

async def main(folder, views):
    settings = ComputeSettings(
        compile=False,
        data_folder=folder, threads=1, devices=("cpu",), precision="float32"
    )
    backend = LocalBackend(settings)
    await backend.start()
    status = backend.status()
    children = (*status.workers, *status.inspectors, *status.posers)
    pids = [child.pid for child in children]
    order = BuildOrder(views=views, output=folder / "x.scene", weights="lact_small")
    await backend.build(order, lambda *_: print(*pids, flush=True))

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def large(running: Running, tmp_path_factory: pytest.TempPathFactory) -> PreparedViews:
    """Views that take a while to be built from."""
    output = tmp_path_factory.mktemp("large")
    views = ListedViews(indices=list(range(NUM_LARGE)))
    request = BuildRequest(size=128, views=views)
    order = PrepareOrder(folder=SAMPLE, output=output, request=request)
    return running.run(running.backend.prepare(order, lambda *_: None))


def build_order(prepared: PreparedViews, output: Path) -> BuildOrder:
    return BuildOrder(views=prepared.views, output=output, weights=prepared.weights)


def video_order(scene: SceneRef, output: Path, num_frames: int) -> VideoOrder:
    trajectory = Orbit(kind="orbit", num_frames=num_frames)
    request = VideoRequest(trajectory=trajectory, height=SIZE, width=SIZE)
    return VideoOrder(scene=scene, output=output, request=request)


def digest(path: Path) -> str | None:
    """Of everything in a scene file, whatever the order of its header."""
    return read_tensors(path, error=SceneFileError, remedy="")[2]


class Begun:
    """Progress that says when the work has begun."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self, *_: object) -> None:
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(WAIT_SECONDS)


def test_a_cancelled_build_stops_and_leaves_nothing(
    running: Running, large: PreparedViews, prepared: PreparedViews, tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    begun = Begun()
    first = running.begin(
        running.backend.build(build_order(large, tmp_path / "first/x.scene"), begun)
    )
    begun.wait()
    first.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        first.result(WAIT_SECONDS)
    # Jobs come one after another: once the next is done, so is the first.
    order = build_order(prepared, tmp_path / "next.scene")
    running.run(running.backend.build(order, begun))
    assert not list((tmp_path / "first").iterdir())
    assert running.backend.status().num_jobs == 0


def test_a_cancelled_video_stops_and_leaves_nothing(
    running: Running, scene: SceneRef, prepared: PreparedViews, tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    begun = Begun()
    order = video_order(scene, tmp_path / "first/x.mp4", 10_000)
    first = running.begin(running.backend.video(order, begun))
    begun.wait()
    first.cancel()
    running.run(
        running.backend.build(build_order(prepared, tmp_path / "next.scene"), begun)
    )
    assert not list((tmp_path / "first").iterdir())


def test_renders_are_served_while_a_video_runs_and_do_not_change_it(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    begun = Begun()
    order = video_order(scene, tmp_path / "x.mp4", 120)
    camera = running.around(2)
    alone = running.render(scene, camera)
    video = running.begin(running.backend.video(order, begun))
    begun.wait()
    frames = running.render(scene, camera)
    assert not video.done()
    assert [frame.data for frame in frames] == [frame.data for frame in alone]
    assert video.result(WAIT_SECONDS).num_frames == 120


def test_renders_are_served_while_a_build_runs_and_do_not_change_it(
    running: Running,
    scene: SceneRef,
    large: PreparedViews,
    tmp_path: Path,
) -> None:
    quiet = build_order(large, tmp_path / "quiet.scene")
    running.run(running.backend.build(quiet, Begun()))
    begun = Begun()
    busy = build_order(large, tmp_path / "busy.scene")
    build = running.begin(running.backend.build(busy, begun))
    begun.wait()
    frames = running.render(scene, running.around(1))
    assert not build.done()
    assert len(frames) == 1
    build.result(WAIT_SECONDS)
    assert digest(busy.output) == digest(quiet.output)


def test_a_cancelled_render_is_dropped(running: Running, scene: SceneRef) -> None:
    worker = psutil.Process(running.worker_pid)
    worker.suspend()
    order = running.order(scene, running.around(40))
    before = running.backend.status().images_total
    render = running.begin(running.backend.render(order))
    running.run(_until(lambda: running.backend.status().num_renders == 1))
    render.cancel()
    running.run(_until(lambda: running.backend.status().num_renders == 0))
    worker.resume()
    running.render(scene, running.around(1))
    assert running.backend.status().images_total - before < 40


async def _until(condition: Callable[[], bool]) -> None:
    import asyncio

    while not condition():
        await asyncio.sleep(0)


def test_killed_while_it_builds_the_worker_comes_back(
    running: Running, large: PreparedViews, built: SceneFile, tmp_path: Path
) -> None:
    begun = Begun()
    order = build_order(large, tmp_path / "x.scene")
    build = running.begin(running.backend.build(order, begun))
    begun.wait()
    restarts = running.backend.status().workers[0].num_restarts
    os.kill(running.worker_pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="the worker process died"):
        build.result(WAIT_SECONDS)
    assert not order.output.exists()
    again = running.run(running.backend.build(order, begun))  # waits for the restart
    assert again.num_views == NUM_LARGE
    (worker,) = running.backend.status().workers
    assert (worker.state, worker.num_restarts) == ("ready", restarts + 1)


def test_stopped_while_it_builds_the_worker_is_replaced(
    running: Running,
    large: PreparedViews,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = Begun()
    order = build_order(large, tmp_path / "x.scene")
    build = running.begin(running.backend.build(order, begun))
    begun.wait()
    stopped = running.worker_pid
    os.kill(stopped, signal.SIGSTOP)
    monkeypatch.setattr(child_module, "SILENT_SECONDS", 5.0)
    with pytest.raises(WorkerLost, match="the worker process died"):
        build.result(WAIT_SECONDS)
    running.wait_ready()
    assert running.worker_pid != stopped


@pytest.mark.slow
def test_killed_while_it_renders_the_worker_comes_back(
    running: Running, scene: SceneRef
) -> None:
    totals = running.backend.status()
    worker = psutil.Process(running.worker_pid)
    worker.suspend()
    order = running.order(scene, running.around(3))
    render = running.begin(running.backend.render(order))
    running.run(_until(lambda: running.backend.status().num_renders == 1))
    worker.kill()
    with pytest.raises(WorkerLost, match="the worker process died"):
        render.result(WAIT_SECONDS)
    with pytest.raises(WorkerLost, match="is being restarted"):
        running.run(running.backend.render(order))
    running.wait_ready()
    frames = running.run(running.backend.render(order))
    assert [frame.tier for frame in frames] == ["disk"] * 3
    status = running.backend.status()
    assert status.images_total == totals.images_total + 3
    hits = [sum(tier.hits for tier in s.cache) for s in (totals, status)]
    assert hits[1] == hits[0] + 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes")
def test_no_process_outlives_a_killed_gateway(
    large: PreparedViews, tmp_path: Path
) -> None:
    gateway = subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(tmp_path), str(large.views)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert gateway.stdout is not None
    with gateway, gateway.stdout:
        children = [
            psutil.Process(int(pid)) for pid in gateway.stdout.readline().split()
        ]
        gateway.kill()  # while the worker builds
    assert len(children) == 4
    _, alive = psutil.wait_procs(children, timeout=WAIT_SECONDS)
    assert not alive
    assert not (tmp_path / "x.scene").exists()


def test_a_scene_over_the_budget_is_kept_only_while_it_is_rendered(
    local_settings: ComputeSettings,
    start: Callable[[ComputeSettings], Running],
    scene: SceneRef,
    prepared: PreparedViews,
    tmp_path: Path,
) -> None:
    other = start(local_settings.model_copy(update={"host_cache_bytes": 1}))
    begun = Begun()
    order = build_order(prepared, tmp_path / "x.scene")
    build = other.begin(other.backend.build(order, begun))
    begun.wait()
    frames = other.render(scene, other.around(2))
    host = other.backend.status().cache[0]
    assert len(frames) == 2
    assert (host.scenes, host.bytes, host.evictions) == (0, 0, 1)  # over its budget
    assert build.result(WAIT_SECONDS).num_views == 4


def test_a_stopped_backend_takes_no_more(
    local_settings: ComputeSettings,
    start: Callable[[ComputeSettings], Running],
    scene: SceneRef,
) -> None:
    other = start(local_settings)
    other.run(other.backend.stop())
    with pytest.raises(WorkerLost, match="shutting down"):
        other.render(scene, other.around(1))
