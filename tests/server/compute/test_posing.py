"""Posing by the real process: reports, limits, and what is killed goes on."""

from __future__ import annotations

import math
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from nvs.api.posing import PoseRequest, PosingSketch
from nvs.cameras import Camera
from nvs.errors import DatasetError
from nvs.scene.datasets import read_dataset
from nvs_server.compute.orders import FoundCameras, PoseOrder
from nvs_server.compute.protocol import WorkerLost
from nvs_server.jobs.materialise import materialise
from nvs_server.settings import ComputeSettings
from nvs_server.storage.records import FileRecord
from tests.data_tools.test_posing import (
    DOWN,
    found_errors,
    photograph,
    pose_errors,
    walk,
    wallpaper,
    with_reading,
)

pytest.importorskip("pycolmap")

Running = Any
REQUEST = PoseRequest(camera_model="PINHOLE", max_image_px=320)
STAGES = ["decode", "features", "matching", "mapping", "framing"]
OTHER_STAGES = ["features", "matching", "framing"]
TURNED = 0x0112


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Ten of a room, one lying on its side, and one of something else."""
    folder = tmp_path_factory.mktemp("photographs")
    named: dict[str, Path] = {}
    for view, camera in enumerate(walk(10)):
        image = Image.fromarray(photograph(camera))
        path = f"photo {view}.png"
        if view == 3:
            exif = Image.Exif()
            exif[TURNED] = 8
            image = image.transpose(Image.Transpose.ROTATE_270)
            path = "photo 3.jpg"
            image.save(folder / path, exif=exif, quality=98, subsampling=0)
        else:
            down = DOWN @ camera.world_from_camera[0, :3, :3].numpy()
            image.save(folder / path, exif=with_reading(down))
        named[path] = folder / path
    Image.fromarray(wallpaper(77)[:240, :320]).save(folder / "foreign.png")
    return named | {"foreign.png": folder / "foreign.png"}


class Stages:
    """Notes stages, and when one begins."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.sketches: list[PosingSketch] = []
        self.begun = {stage: threading.Event() for stage in STAGES}

    def __call__(
        self, stage: str, fraction: float, sketch: PosingSketch | None = None, /
    ) -> None:
        assert 0 <= fraction <= 1
        if sketch is not None:
            self.sketches.append(sketch)
        self.seen.append(stage)
        self.begun[stage].set()


def order_of(folder: Path, photographs: dict[str, Path], **values: Any) -> PoseOrder:
    values = {"masks": {}, "video": None, "request": REQUEST} | values
    return PoseOrder(folder=folder, photographs=photographs, **values)


def dataset_of(
    order: PoseOrder, found: FoundCameras, folder: Path, photographs: dict[str, Path]
) -> Path:
    """The scene's folder as a build reads it."""
    uploaded = [
        FileRecord(path=path, kind="image", sha256=path, num_bytes=1)
        for path in photographs
    ]
    places = {file.sha256: order.result / file.path for file in found.files}
    folder.mkdir()
    materialise(
        [*uploaded, *found.files], {**photographs, **places}.__getitem__, folder
    )
    return folder


def test_known_cameras_come_back(
    running: Running, photographs: dict[str, Path], tmp_path: Path
) -> None:
    stages = Stages()
    masks = {"masks/photo 3.png": 255, "masks/photo 9.png.png": 0}
    for number, shade in enumerate(masks.values()):
        Image.new("L", (320, 240), shade).save(tmp_path / f"{number}.png")
    order = order_of(
        tmp_path / "order",
        photographs,
        masks={path: tmp_path / f"{i}.png" for i, path in enumerate(masks)},
    )
    found = running.run(running.backend.pose(order, stages))
    assert sorted(set(stages.seen), key=stages.seen.index) == STAGES
    posing = found.posing
    assert (posing.num_photographs, posing.num_posed) == (11, 9)
    assert [(photo.name, photo.reason) for photo in posing.left_out] == [
        ("foreign.png", "matches no other photograph"),
        ("photo 9.png", "has only 0 features: plain or blurred"),  # all masked
    ]
    first, *_, last = stages.sketches
    assert set(first.photographs) == set(photographs)
    assert (first.placed, first.left_out) == ([], [])
    without = {photo.name for photo in posing.left_out}
    assert {photo.name for photo in last.placed} == set(photographs) - without
    assert last.left_out == posing.left_out
    counts = [len(sketch.placed) for sketch in stages.sketches]
    assert counts == sorted(counts)
    assert 0 < posing.reprojection_error_px < 1
    assert posing.hfov_degrees == pytest.approx(65, abs=1)
    assert not posing.is_turntable
    assert 0 < posing.coverage < 1
    assert {file.path for file in found.files if file.kind == "image"} == {
        "posed/00004.jpg",  # upright; the others are as they were uploaded
        "masks/posed/00004.jpg.png",
    }
    folder = dataset_of(order, found, tmp_path / "scene", photographs)
    dataset = read_dataset(folder)
    assert dataset.missing == ()
    shapes = {frame.name: frame.pixels().shape for frame in dataset.frames}
    assert {shape[:2] for shape in shapes.values()} == {(240, 320)}
    masked = [Path(name).name for name, shape in shapes.items() if shape[2] == 4]
    assert masked == ["00004.jpg"]
    views = walk(10)
    errors = found_errors(
        folder, lambda name: views[3 if name == "00004.jpg" else int(name[6])]
    )
    assert errors.center_relative.max() < 0.01
    true = Camera.cat([views[int(photo.name[6])] for photo in last.placed])
    poses = [photo.camera.world_from_camera for photo in last.placed]
    sketched = replace(true, world_from_camera=torch.tensor(poses).double())
    assert pose_errors(sketched, true).center_relative.max() < 0.02
    first = dataset.frames[0]
    up = np.array(dataset.world_up) @ first.camera.world_from_camera[0, :3, :3].numpy()
    known = views[int(first.name[6])].world_from_camera[0, :3, :3].numpy()
    assert up @ (-DOWN @ known) > math.cos(math.radians(0.5))


@pytest.mark.parametrize(
    "stage",
    ["mapping", *(pytest.param(s, marks=pytest.mark.slow) for s in OTHER_STAGES)],
)
def test_killed_in_a_stage_it_goes_on(
    running: Running, photographs: dict[str, Path], tmp_path: Path, stage: str
) -> None:
    stages = Stages()
    order = order_of(tmp_path / "order", photographs)
    work = running.begin(running.backend.pose(order, stages))
    assert stages.begun[stage].wait(60)
    pid = running.backend.status().posers[0].pid
    assert psutil.Process(pid).nice() == 10
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerLost):
        work.result(60)
    database = order.folder / "posed" / "database.db"
    if stage in ("mapping", "framing"):
        before = database.stat().st_size
    again = Stages()
    found = running.run(running.backend.pose(order, again))
    assert found.posing.num_posed == 10
    if stage in ("mapping", "framing"):
        assert database.stat().st_size == before  # nothing was found again


def test_cancelled_within_two_seconds(
    running: Running, photographs: dict[str, Path], tmp_path: Path
) -> None:
    stages = Stages()
    order = order_of(tmp_path / "order", photographs)
    work = running.begin(running.backend.pose(order, stages))
    assert stages.begun["matching"].wait(60)
    pid = running.backend.status().posers[0].pid
    started = time.monotonic()
    work.cancel()
    while psutil.pid_exists(pid):
        assert time.monotonic() - started < 2
        time.sleep(0.01)


def test_what_cannot_be_posed_names_no_path_of_the_server(
    running: Running, photographs: dict[str, Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\n")
    three = {f"{name}.png": photographs["foreign.png"] for name in "abc"}
    for wrong in ({"a.png": damaged, "b.png": damaged, "c.png": damaged}, three):
        order = order_of(tmp_path / "order", wrong)
        with pytest.raises(DatasetError) as refused:
            running.run(running.backend.pose(order, lambda *_: None))
        assert str(tmp_path) not in str(refused.value)
        shutil.rmtree(order.folder)


def test_limit_of_time(
    start: Callable[[ComputeSettings], Running],
    local_settings: ComputeSettings,
    photographs: dict[str, Path],
    tmp_path: Path,
) -> None:
    changes = {"data_folder": tmp_path, "pose_seconds": 0.5}
    running = start(local_settings.model_copy(update=changes))
    order = order_of(tmp_path / "order", photographs)
    with pytest.raises(DatasetError, match=r"the capture: posing took longer than 0.5"):
        running.run(running.backend.pose(order, lambda *_: None))


@pytest.mark.slow
def test_a_video_gives_its_cameras(running: Running, tmp_path: Path) -> None:
    views = walk(40)
    video = tmp_path / "walk.mp4"
    with imageio.get_writer(video, fps=20, quality=9) as writer:
        for view in views:
            writer.append_data(photograph(view))
    request = REQUEST.model_copy(update={"num_frames": 12})
    order = order_of(tmp_path / "order", {}, video=video, request=request)
    found = running.run(running.backend.pose(order, lambda *_: None))
    assert found.posing.num_posed == 12
    paths = {file.path for file in found.files if file.kind == "image"}
    assert paths == {f"posed/{index:05d}.jpg" for index in range(12)}
