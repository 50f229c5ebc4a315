"""A worker of two processes: they build together and render apart, killed or not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from nvs.api.jobs import BuildRequest, ListedViews
from nvs.api.renders import Orbit, VideoRequest
from nvs.assets import SAMPLE
from nvs.errors import ConfigError, DatasetError
from nvs.scene import Scene
from nvs_server.compute import workers
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.orders import (
    BuildOrder,
    PreparedViews,
    PrepareOrder,
    VideoOrder,
)
from nvs_server.compute.protocol import WorkerLost
from nvs_server.settings import devices_of, load_settings
from nvs_server.storage.records import SceneRef

Running = Any
"""The fixture's class."""
SIZE = 64
WAIT_SECONDS = 120


class Begun:
    """Progress that says when the prefill is under way."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __call__(self, _: str, fraction: float) -> None:
        if fraction > 0:
            self._event.set()

    def wait(self) -> None:
        assert self._event.wait(WAIT_SECONDS)


@pytest.fixture(scope="module")
def two(running: Running) -> Iterator[Running]:
    """A backend with one worker of two processes, on the files of the other."""
    started = running.another(devices=("cpu:2",))
    pids = [worker.pid for worker in started.backend.status().workers]
    assert len(pids) == len(set(pids)) == 2
    yield started
    pids += [worker.pid for worker in started.backend.status().workers]
    started.stop()
    if type(started.backend) is not LocalBackend:
        return  # other gateways may ask for them
    assert not any(psutil.pid_exists(pid) for pid in pids if pid is not None)


@pytest.fixture(scope="module")
def large(running: Running, tmp_path_factory: pytest.TempPathFactory) -> PreparedViews:
    """Views that take a while to be built from."""
    output = tmp_path_factory.mktemp("large")
    views = ListedViews(indices=list(range(12)))
    request = BuildRequest(size=128, views=views)
    order = PrepareOrder(folder=SAMPLE, output=output, request=request)
    return running.run(running.backend.prepare(order, lambda *_: None))


def build_order(prepared: PreparedViews, output: Path) -> BuildOrder:
    return BuildOrder(views=prepared.views, output=output, weights=prepared.weights)


def numbers(pictures: list[Any]) -> np.ndarray:
    return np.stack([np.frombuffer(picture.data, "<f4") for picture in pictures])


def kill(two: Running, rank: int) -> int:
    """End one of the two processes, which is then started again."""
    pid = two.backend.status().workers[rank].pid
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize(
    ("worker", "devices"),
    [
        ("cuda:1", ["cuda:1"]),
        ("cuda", ["cuda"]),
        ("cuda:0+cuda:2", ["cuda:0", "cuda:2"]),
        ("cpu:2", ["cpu", "cpu"]),
        ("cpu+cpu", ["cpu", "cpu"]),
        ("2", ["cuda:0", "cuda:1"]),
    ],
)
def test_a_worker_has_one_device_or_several(worker: str, devices: list[str]) -> None:
    assert devices_of(worker) == devices


@pytest.mark.parametrize("worker", ["cuda+cpu", "cuda:0+cuda:0", "cpu:0", "cuda:0+"])
def test_others_are_refused_at_the_start(worker: str) -> None:
    with pytest.raises(
        ConfigError, match=r"NVS_DEVICES.*(the devices are|has cuda:0 twice)"
    ):
        load_settings(devices=f"cpu,{worker}")


def test_they_build_what_one_builds_and_deal_cameras(
    running: Running,
    two: Running,
    scene: SceneRef,
    prepared: PreparedViews,
    tmp_path: Path,
) -> None:
    order = build_order(prepared, tmp_path / "two.scene")
    seen: list[float] = []
    file = two.run(two.backend.build(order, lambda _, done: seen.append(done)))
    assert file.num_views == 4
    assert len(Scene.load(order.output).input_names) == 4
    assert seen[0] == 0
    assert max(seen) > 0.5
    camera = running.around(5)
    before = two.backend.status()
    (of_two, of_one) = (two.render(two.store(order.output), camera) for _ in range(2))
    after = two.backend.status()
    assert after.images_total - before.images_total == 10
    assert after.batches_total - before.batches_total == 4
    assert [p.data for p in of_two] == [p.data for p in of_one]
    error = np.abs(numbers(of_two) - numbers(running.render(scene, camera)))
    assert error.mean() < 1 / 255
    assert (after.num_workers, len(after.workers)) == (1, 2)


@pytest.mark.slow
def test_a_video_is_that_of_one(
    running: Running, two: Running, scene: SceneRef, tmp_path: Path
) -> None:
    request = VideoRequest(
        trajectory=Orbit(kind="orbit", num_frames=11), height=SIZE, width=SIZE
    )
    sizes: list[tuple[int, int]] = []
    for number, one in enumerate((running, two)):
        order = VideoOrder(
            scene=scene, output=tmp_path / f"{number}.mp4", request=request
        )
        video = one.run(one.backend.video(order, lambda *_: None))
        sizes.append((video.num_frames, video.num_bytes))
    assert sizes[0][0] == sizes[1][0] == 11
    assert sizes[0][1] == pytest.approx(sizes[1][1], rel=0.02)


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_killed_in_a_build_one_comes_back_and_the_other_renders(
    two: Running,
    scene: SceneRef,
    large: PreparedViews,
    prepared: PreparedViews,
    tmp_path: Path,
    rank: int,
) -> None:
    two.render(scene, two.around(2))
    begun = Begun()
    order = build_order(large, tmp_path / "x.scene")
    build = two.begin(two.backend.build(order, begun))
    begun.wait()
    assert len(two.render(scene, two.around(2))) == 2
    assert not build.done()
    killed, other = kill(two, rank), two.backend.status().workers[1 - rank].pid
    start = time.monotonic()
    assert len(two.render(scene, two.around(3))) == 3
    with pytest.raises(
        WorkerLost, match=rf"rank {rank} of 2 \(cpu\) process died \(SIGKILL\)"
    ):
        build.result(WAIT_SECONDS)
    assert time.monotonic() - start < 20
    assert not psutil.pid_exists(killed)
    assert not order.output.exists()
    order = build_order(prepared, tmp_path / "x.scene")
    again = two.run(two.backend.build(order, lambda *_: None))  # waits for the restart
    assert again.num_views == 4
    assert two.backend.status().workers[1 - rank].pid == other


def test_nobody_waits_to_meet_one_that_was_killed(
    two: Running,
    scene: SceneRef,
    prepared: PreparedViews,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "PART_SECONDS", 10 * WAIT_SECONDS)
    restarts = two.backend.status().workers[1].num_restarts
    kill(two, 1)  # who comes instead has to be met
    while (late := two.backend.status().workers[1]).num_restarts == restarts or (
        late.state != "ready"
    ):
        time.sleep(0.05)
    psutil.Process(late.pid).suspend()
    order = build_order(prepared, tmp_path / "x.scene")
    build = two.begin(two.backend.build(order, lambda *_: None))
    time.sleep(0.5)  # the first waits for it
    kill(two, 1)
    with pytest.raises(WorkerLost, match="rank 1 of 2"):
        build.result(WAIT_SECONDS)
    two.wait_ready()
    assert len(two.render(scene, two.around(2))) == 2


@pytest.mark.slow
def test_killed_while_it_renders_its_images_are_rendered_by_the_other(
    two: Running, scene: SceneRef
) -> None:
    camera = two.around(24)
    expected = numbers(two.render(scene, camera))
    render = two.begin(two.backend.render(two.order(scene, camera)))
    time.sleep(0.1)
    kill(two, 1)
    found = numbers(render.result(WAIT_SECONDS))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_given_up_or_refused_builds_leave_both_to_the_next(
    two: Running, large: PreparedViews, prepared: PreparedViews, tmp_path: Path
) -> None:
    begun = Begun()
    order = build_order(large, tmp_path / "x.scene")
    build = two.begin(two.backend.build(order, begun))
    begun.wait()
    build.cancel()
    with pytest.raises(CancelledError):
        build.result(WAIT_SECONDS)
    missing = BuildOrder(
        views=tmp_path / "none", output=order.output, weights="lact_small"
    )
    with pytest.raises(DatasetError, match=r"(?i)no such file"):
        two.run(two.backend.build(missing, begun))
    restarts = [worker.num_restarts for worker in two.backend.status().workers]
    next_order = build_order(prepared, tmp_path / "next.scene")
    assert two.run(two.backend.build(next_order, begun)).num_views == 4
    assert restarts == [w.num_restarts for w in two.backend.status().workers]
    assert [file.name for file in tmp_path.iterdir()] == ["next.scene"]
