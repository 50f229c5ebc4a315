"""The backend with real weights: parity, pictures, films, errors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imageio.v2 as imageio
import numpy as np
import pytest
import torch

from nvs.assets import SAMPLE
from nvs.errors import (
    CameraError,
    ConfigError,
    DatasetError,
    SceneFileError,
    WeightsUnavailableError,
)
from nvs.files import file_sha256
from nvs.model import cost
from nvs.scene import Renderer, Scene, load_views
from nvs.tensor_file import read_tensors
from nvs_server.backends.base import (
    BuildOrder,
    BuiltFile,
    Frame,
    PreparedViews,
    SceneDamaged,
    SceneRef,
    Trajectory,
    VideoOrder,
)
from nvs_server.backends.settings import LocalSettings

Running = Any
"""The fixture's class."""
SIZE = 64
VIEWS = (0, 3, 6, 9)


def ignore(*_: object) -> None:
    """Progress that nobody looks at."""


def numbers(frame: Frame) -> np.ndarray:
    return np.frombuffer(frame.data, "<f4").reshape(frame.height, frame.width, 3)


@pytest.mark.usefixtures("_one_thread")
def test_a_build_equals_one_in_this_process_byte_for_byte(
    built: BuiltFile, renderer: Renderer, tmp_path: Path
) -> None:
    views = load_views(SAMPLE, size=SIZE, views=list(VIEWS))
    here = renderer.prefill(views).save(tmp_path / "here.scene")
    _, _, digest = read_tensors(built.path, error=SceneFileError, remedy="")
    assert digest == here  # of weights, cameras, names, thumbnails and metadata
    assert built.sha256 == file_sha256(built.path)
    assert built.num_bytes == built.path.stat().st_size
    assert (built.height, built.width, built.num_views) == (SIZE, SIZE, len(VIEWS))
    assert built.model_digest == renderer.model_digest


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("num_views", [1, 3, 18])
def test_renders_equal_the_renderer_to_the_last_bit(
    running: Running,
    scene: SceneRef,
    built: BuiltFile,
    renderer: Renderer,
    num_views: int,
) -> None:
    camera = running.around(num_views)
    frames = running.render(scene, camera)
    expected = renderer.render(Scene.load(built.path), camera).numpy()
    assert len(frames) == num_views
    for frame, image in zip(frames, expected, strict=True):
        assert frame.media_type == "application/octet-stream"
        assert frame.data == image.astype("<f4").tobytes()


def test_a_batch_equals_single_renders(running: Running, scene: SceneRef) -> None:
    camera = running.around(5)
    batch = running.render(scene, camera)
    for index, frame in enumerate(batch):
        order = running.order(scene, camera[index])
        (single,) = running.run(running.backend.render(order))
        np.testing.assert_allclose(numbers(frame), numbers(single), atol=1e-5)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_pictures_show_what_was_rendered(
    running: Running, scene: SceneRef, format: str
) -> None:
    camera = running.around(1)
    (raw,) = running.render(scene, camera)
    order = running.order(scene, camera, format=format, quality=95)
    (frame,) = running.run(running.backend.render(order))
    assert frame.media_type == f"image/{format}"
    decoded = cv2.imdecode(np.frombuffer(frame.data, np.uint8), cv2.IMREAD_COLOR_RGB)
    error = np.abs(decoded / 255 - numbers(raw)).mean()
    assert error < (0.002 if format == "png" else 0.02)
    timings = (frame.queue_ms, frame.load_ms, frame.model_ms, frame.encode_ms)
    assert all(value >= 0 for value in timings)
    assert frame.model_ms > 0
    assert frame.tier == "host"


def test_status_counts_images_and_cached_scenes(
    running: Running, scene: SceneRef
) -> None:
    before = running.backend.status()
    running.render(scene, running.around(3))
    status = running.backend.status()
    assert status.images_total == before.images_total + 3
    assert status.batches_total == before.batches_total + 1
    host, disk = status.cache
    assert (host.tier, disk.tier) == ("host", "disk")
    assert host.hits + disk.hits == sum(tier.hits for tier in before.cache) + 1
    assert host.scenes >= 1
    assert host.bytes % host.scenes == 0
    assert (status.num_renders, status.num_jobs, status.draining) == (0, 0, False)


def test_models_say_what_is_served(running: Running, renderer: Renderer) -> None:
    (model,) = running.run(running.backend.models())
    assert (model.id, model.is_default, model.poses) == ("lact_tiny", True, "object")
    assert model.digest == renderer.model_digest
    assert (model.trained_height, model.trained_width) == renderer.trained_on.size
    assert model.patch_size == renderer.config.patch_size
    millions = cost.num_parameters(renderer.config) / 1e6
    assert f"{millions:.1f} million parameters" in model.description


def test_orders_that_cannot_be_are_refused_by_name(
    running: Running, scene: SceneRef
) -> None:
    def refused(kind: type[Exception], match: str, **values: Any) -> None:
        order = dataclasses.replace(running.order(scene, running.around(2)), **values)
        with pytest.raises(kind, match=match):
            running.run(running.backend.render(order))

    refused(CameraError, "62×64 does not fit patches of 4", height=62)
    refused(ConfigError, "quality is 0", quality=0)
    refused(ConfigError, "background is '#12345'", background="#12345")
    refused(
        ConfigError, "cannot be transparent", format="jpeg", background="transparent"
    )
    refused(
        ConfigError,
        "'other' are not served here",
        scene=dataclasses.replace(scene, weights="other"),
    )
    camera = running.records(running.around(2))
    bad = dataclasses.replace(camera[1], fx=float("nan"))
    refused(CameraError, "view 1: fx, fy, cx, cy are nan", cameras=(camera[0], bad))


@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
def test_a_damaged_scene_file_is_reported(
    running: Running,
    built: BuiltFile,
    local_settings: LocalSettings,
    tmp_path: Path,
    damage: str,
) -> None:
    other = dataclasses.replace(Scene.load(built.path), created_with=damage)
    other.save(tmp_path / "other.scene")
    scene = running.store(tmp_path / "other.scene")
    (file,) = Path(local_settings.blobs_url).rglob(f"*{scene.sha256[2:]}")
    file.chmod(0o600)
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content if damage == "altered" else content[:-1])
    with pytest.raises(SceneDamaged, match="scene scene is missing or damaged"):
        running.render(scene, running.around(1))


def test_a_scene_of_other_weights_is_refused(
    running: Running, built: BuiltFile, tmp_path: Path
) -> None:
    other = dataclasses.replace(Scene.load(built.path), model_digest="0" * 64)
    other.save(tmp_path / "other.scene")
    scene = running.store(tmp_path / "other.scene")
    with pytest.raises(SceneFileError, match="built with other weights"):
        running.render(scene, running.around(1))


def test_a_video_has_the_frames_of_its_path(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    stages: list[tuple[str, float]] = []
    order = VideoOrder(
        scene=scene,
        trajectory=Trajectory(kind="orbit", num_frames=6, elevation_degrees=10),
        height=SIZE,
        width=SIZE,
        output=tmp_path / "orbit.mp4",
        fps=12,
    )
    video = running.run(
        running.backend.video(order, lambda *stage: stages.append(stage))
    )
    frames = imageio.mimread(video.path)
    assert len(frames) == video.num_frames == 6
    assert frames[0].shape == (SIZE, SIZE, 3)
    assert (video.sha256, video.fps) == (file_sha256(video.path), 12)
    assert stages[0] == ("rendering", 0.0)
    assert stages[-1][0] == "storing"


def test_a_walk_through_the_inputs_and_a_spiral_that_cannot_be(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    order = VideoOrder(
        scene=scene,
        trajectory=Trajectory(kind="walk", num_frames=2),
        height=SIZE,
        width=SIZE,
        output=tmp_path / "path.mp4",
    )
    assert running.run(running.backend.video(order, ignore)).num_frames == 2
    spiral = dataclasses.replace(order, trajectory=Trajectory(kind="spiral"))
    with pytest.raises(CameraError, match="focus distance of a spiral"):
        running.run(running.backend.video(spiral, ignore))


def test_a_camera_path_of_the_nerfstudio_viewer(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    pose = (
        running.around(1).world_from_camera[0] * torch.tensor([1.0, -1, -1, 1])
    ).flatten()
    frame = {"camera_to_world": pose.tolist(), "fov": 50.0, "aspect": 1.0}
    path = {
        "camera_type": "perspective",
        "render_height": 540,
        "render_width": 540,
        "fps": 24,
        "seconds": 1,
        "camera_path": [frame] * 3,
    }
    order = VideoOrder(
        scene=scene,
        camera_path=json.loads(json.dumps(path)),
        height=SIZE,
        width=SIZE,
        output=tmp_path / "path.mp4",
    )
    video = running.run(running.backend.video(order, ignore))
    assert (video.num_frames, video.fps) == (3, 24)
    bad = dataclasses.replace(order, camera_path={**path, "camera_type": "fisheye"})
    with pytest.raises(CameraError, match=r"^the camera path: camera_type is 'fish"):
        running.run(running.backend.video(bad, ignore))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["path.mp4"]


def test_orders_for_videos_that_cannot_be(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    def refused(kind: type[Exception], match: str, **values: Any) -> None:
        given = {"trajectory": Trajectory(num_frames=2), "height": SIZE, **values}
        order = VideoOrder(scene=scene, width=SIZE, output=tmp_path / "v.mp4", **given)
        with pytest.raises(kind, match=match):
            running.run(running.backend.video(order, ignore))

    refused(ConfigError, "fps is 0", fps=0)
    refused(ConfigError, "a trajectory or a camera path", trajectory=None)
    refused(ConfigError, "num_frames is 0", trajectory=Trajectory(num_frames=0))
    refused(ConfigError, "zoom is -1", trajectory=Trajectory(zoom=-1))
    refused(CameraError, "62×64 does not fit patches", height=62)
    assert not list(tmp_path.iterdir())


def test_builds_that_cannot_be(
    running: Running, prepared: PreparedViews, tmp_path: Path
) -> None:
    def refused(kind: type[Exception], match: str, **values: Any) -> None:
        order = BuildOrder(
            views=prepared.views, output=tmp_path / "x.scene", weights="lact_tiny"
        )
        with pytest.raises(kind, match=match):
            running.run(
                running.backend.build(dataclasses.replace(order, **values), ignore)
            )

    refused(ConfigError, "'other' are not served", weights="other")
    refused(DatasetError, "there is no such file", views=tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_why_it_cannot_start_is_raised(
    local_settings: LocalSettings, start: Callable[[LocalSettings], Running]
) -> None:
    with pytest.raises(WeightsUnavailableError, match="no named weights 'nope'"):
        start(dataclasses.replace(local_settings, weights=("nope",)))
