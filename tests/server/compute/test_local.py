"""The backend with real weights: parity, pictures, films, errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imageio.v2 as imageio
import numpy as np
import pytest
import torch

from nvs.api.jobs import BuildRequest, ListedViews
from nvs.api.renders import (
    AsCaptured,
    FollowPath,
    Orbit,
    Spiral,
    Trajectory,
    VideoRequest,
    Walk,
)
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
from nvs.scene.paths import usual_path
from nvs.tensor_file import read_tensors
from nvs_server.compute.orders import BuildOrder, Picture, PreparedViews, VideoOrder
from nvs_server.compute.protocol import SceneDamaged
from nvs_server.settings import ComputeSettings
from nvs_server.storage.records import SceneFile, SceneRef

Running = Any
"""The fixture's class."""
SIZE = 64
VIEWS = (0, 3, 6, 9)


def ignore(*_: object) -> None:
    """Progress that nobody looks at."""


def numbers(picture: Picture) -> np.ndarray:
    size = (picture.height, picture.width, 3)
    return np.frombuffer(picture.data, "<f4").reshape(size)


def video_order(
    scene: SceneRef, output: Path, trajectory: Trajectory, **values: Any
) -> VideoOrder:
    size = {"height": SIZE, "width": SIZE}
    request = VideoRequest(trajectory=trajectory, **size | values)
    return VideoOrder(scene=scene, output=output, request=request)


@pytest.mark.usefixtures("_one_thread")
def test_a_build_equals_one_in_this_process_byte_for_byte(
    built: SceneFile, path: Path, renderer: Renderer, tmp_path: Path
) -> None:
    views = load_views(SAMPLE, size=SIZE, views=list(VIEWS))
    here = renderer.prefill(views).save(tmp_path / "here.scene")
    _, _, digest = read_tensors(path, error=SceneFileError, remedy="")
    assert digest == here  # of weights, cameras, names, thumbnails and metadata
    assert built.sha256 == file_sha256(path)
    assert built.num_bytes == path.stat().st_size
    assert (built.height, built.width, built.num_views) == (SIZE, SIZE, len(VIEWS))
    assert built.model_digest == renderer.model_digest


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("num_views", [1, 3, 18])
def test_renders_equal_the_renderer_to_the_last_bit(
    running: Running,
    scene: SceneRef,
    path: Path,
    renderer: Renderer,
    num_views: int,
) -> None:
    camera = running.around(num_views)
    frames = running.render(scene, camera)
    expected = renderer.render(Scene.load(path), camera).numpy()
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
    assert all(value >= 0 for value in frame.timings.model_dump().values())
    assert frame.timings.model_ms > 0
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
    assert (status.num_renders, status.num_jobs) == (0, 0)


def test_a_build_says_what_was_expected_and_how_close_it_comes(
    running: Running, prepared: PreparedViews, tmp_path: Path
) -> None:
    order = BuildOrder(
        views=prepared.views,
        output=tmp_path / "a.scene",
        weights=prepared.weights,
        up=(0.0, 2.0, 0.0),
        held_out=prepared.views,
        sheet=tmp_path / "sheet.png",
    )
    stages: list[str] = []
    file = running.run(
        running.backend.build(order, lambda stage, _: stages.append(stage))
    )
    assert list(dict.fromkeys(stages)) == ["prefill", "rendering", "storing"]
    assert file.up == Scene.load(order.output).up == (0, 1, 0)
    request = BuildRequest(
        size=SIZE, views=ListedViews(indices=list(VIEWS)), up=order.up
    )
    expected = running.run(running.backend.expect(SAMPLE, request, look=True))
    assert file.expectation == expected
    assert file.held_out.num_views == len(VIEWS)
    assert file.held_out.render.psnr_db > file.held_out.flat.psnr_db
    assert file.sheet_sha256 == file_sha256(order.sheet)


def test_the_verdict_is_about_the_weights_that_are_named(running: Running) -> None:
    found = running.run(running.backend.validate(SAMPLE, weights="lact_small"))
    assert found.expectation.weights == "lact_small"
    with pytest.raises(ConfigError, match="'other' are not served here"):
        running.run(running.backend.validate(SAMPLE, weights="other"))


def test_models_say_what_is_served(running: Running, renderer: Renderer) -> None:
    (model,) = running.run(running.backend.models())
    assert (model.id, model.is_default, model.poses) == ("lact_small", True, "object")
    assert model.digest == renderer.model_digest
    assert (model.trained_height, model.trained_width) == renderer.trained_on.size
    assert model.patch_size == renderer.config.patch_size
    millions = cost.num_parameters(renderer.config) / 1e6
    assert f"{millions:.1f} million parameters" in model.description


def test_orders_that_cannot_be_are_refused_by_name(
    running: Running, scene: SceneRef
) -> None:
    with pytest.raises(CameraError, match="62×64 does not fit patches of 4"):
        running.render(scene, running.around(2), height=62)
    other = dataclasses.replace(scene, weights="other")
    with pytest.raises(ConfigError, match="'other' are not served here"):
        running.render(other, running.around(2))


@pytest.mark.parametrize("damage", ["missing", "truncated", "altered"])
def test_a_damaged_scene_file_is_reported(
    running: Running,
    path: Path,
    local_settings: ComputeSettings,
    tmp_path: Path,
    damage: str,
) -> None:
    other = dataclasses.replace(Scene.load(path), created_with=damage)
    other.save(tmp_path / "other.scene")
    scene = running.store(tmp_path / "other.scene")
    (file,) = Path(local_settings.blobs).rglob(f"*{scene.sha256[2:]}")
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
    running: Running, path: Path, tmp_path: Path
) -> None:
    other = dataclasses.replace(Scene.load(path), model_digest="0" * 64)
    other.save(tmp_path / "other.scene")
    scene = running.store(tmp_path / "other.scene")
    with pytest.raises(SceneFileError, match="built with other weights"):
        running.render(scene, running.around(1))


def test_a_video_has_the_frames_of_its_path(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    stages: list[tuple[str, float]] = []
    orbit = Orbit(kind="orbit", num_frames=6, elevation_degrees=10)
    order = video_order(scene, tmp_path / "orbit.mp4", orbit, fps=12)
    video = running.run(
        running.backend.video(order, lambda *stage: stages.append(stage))
    )
    frames = imageio.mimread(order.output)
    assert len(frames) == video.num_frames == 6
    assert frames[0].shape == (SIZE, SIZE, 3)
    assert (video.sha256, video.fps) == (file_sha256(order.output), 12)
    assert stages[0] == ("rendering", 0.0)
    assert stages[-1][0] == "storing"


def test_a_video_follows_the_capture_unless_told_otherwise(
    running: Running, scene: SceneRef, path: Path, tmp_path: Path
) -> None:
    sizes: list[int] = []
    for index, trajectory in enumerate(
        (
            AsCaptured(kind="auto", num_frames=3),
            Orbit(kind="orbit", num_frames=3),
            Walk(kind="walk", num_frames=3),
        )
    ):
        order = video_order(scene, tmp_path / f"{index}.mp4", trajectory)
        sizes.append(running.run(running.backend.video(order, ignore)).num_bytes)
    same = sizes[1] if usual_path(Scene.load(path)) == "orbit" else sizes[2]
    assert sizes[0] == same
    assert VideoRequest(height=SIZE, width=SIZE).trajectory.kind == "auto"


def test_a_walk_through_the_inputs_and_a_spiral_that_cannot_be(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    order = video_order(scene, tmp_path / "a.mp4", Walk(kind="walk", num_frames=2))
    assert running.run(running.backend.video(order, ignore)).num_frames == 2
    spiral = video_order(scene, tmp_path / "b.mp4", Spiral(kind="spiral", num_frames=9))
    with pytest.raises(CameraError, match="focus distance of a spiral"):
        running.run(running.backend.video(spiral, ignore))


def test_a_camera_path_of_the_nerfstudio_viewer(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    pose = (
        running.around(1).world_from_camera[0] * torch.tensor([1.0, -1, -1, 1])
    ).flatten()
    frame = {"camera_to_world": pose.tolist(), "fov": 50.0, "aspect": 1.0}
    exported = {
        "camera_type": "perspective",
        "render_height": 540,
        "render_width": 540,
        "fps": 24,
        "seconds": 1,
        "camera_path": [frame] * 3,
    }
    follow = FollowPath.model_validate({"camera_path": exported})
    for fps, expected in ((None, 24), (12, 12)):
        order = video_order(scene, tmp_path / "path.mp4", follow, fps=fps)
        video = running.run(running.backend.video(order, ignore))
        assert (video.num_frames, video.fps) == (3, expected)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["path.mp4"]


def test_a_video_that_cannot_be_leaves_nothing(
    running: Running, scene: SceneRef, tmp_path: Path
) -> None:
    orbit = Orbit(kind="orbit", num_frames=2)
    order = video_order(scene, tmp_path / "v.mp4", orbit, height=62)
    with pytest.raises(CameraError, match="62×64 does not fit patches"):
        running.run(running.backend.video(order, ignore))
    assert not list(tmp_path.iterdir())


def test_builds_that_cannot_be(
    running: Running, prepared: PreparedViews, tmp_path: Path
) -> None:
    def refused(kind: type[Exception], match: str, **values: Any) -> None:
        order = BuildOrder(
            views=prepared.views, output=tmp_path / "x.scene", weights="lact_small"
        )
        with pytest.raises(kind, match=match):
            running.run(
                running.backend.build(dataclasses.replace(order, **values), ignore)
            )

    refused(ConfigError, "'other' are not served", weights="other")
    refused(DatasetError, "(?i)no such file", views=tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_why_it_cannot_start_is_raised(
    local_settings: ComputeSettings, start: Callable[[ComputeSettings], Running]
) -> None:
    with pytest.raises(WeightsUnavailableError, match="no named weights 'nope'"):
        start(local_settings.model_copy(update={"weights": ("nope",)}))
