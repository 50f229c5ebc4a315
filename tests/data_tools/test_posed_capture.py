"""How a capture was taken, told from its cameras and its photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera, orbit
from nvs.scene.frames import Dataset, Frame
from nvs_data.posed_capture import PosedCapture, describe

SIDE = 64


@pytest.fixture
def described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Describes cameras with a photograph each."""

    def run(camera: Camera, pictures: list[np.ndarray]) -> PosedCapture:
        (tmp_path / "images").mkdir()
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / f"images/{index:02d}.png")
        frames = tuple(
            Frame(name=str(index), camera=one, load=lambda: pictures[0])
            for index, one in enumerate(camera)
        )
        dataset = Dataset(frames=frames, missing=())
        monkeypatch.setattr("nvs_data.posed_capture.read_dataset", lambda _: dataset)
        return describe(tmp_path)

    return run


def around(num_views: int) -> Camera:
    return orbit(
        num_views,
        radius=2.0,
        elevation_radians=0.3,
        hfov_radians=1.0,
        height=SIDE,
        width=SIDE,
    )


def noise(num_views: int, *, still_rim: bool) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    background = random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    pictures = []
    for _ in range(num_views):
        picture = random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        if still_rim:
            thing = picture[16:48, 16:48].copy()
            picture = background.copy()
            picture[16:48, 16:48] = thing
        pictures.append(picture)
    return pictures


def test_a_ring_is_around_something(described: Any) -> None:
    found = described(around(12), noise(12, still_rim=False))
    assert found.kind == "around"
    assert found.hfov_degrees == pytest.approx(np.degrees(1.0))
    assert found.width == SIDE
    assert 0.5 < found.coverage < 0.9  # a belt, no poles
    assert not found.is_turntable


def test_views_side_by_side_face_forward(described: Any) -> None:
    camera = around(1)[[0] * 5]
    pose = camera.world_from_camera.clone()
    pose[:, :3, 3] += torch.linspace(-0.5, 0.5, 5)[:, None] * pose[:, :3, 0]
    moved = Camera(
        world_from_camera=pose, intrinsics=camera.intrinsics, height=SIDE, width=SIDE
    )
    assert described(moved, noise(5, still_rim=False)).kind == "forward-facing"


def test_views_outward_go_through_a_place(described: Any) -> None:
    camera = around(8)
    pose = camera.world_from_camera.clone()
    pose[:, :3, [0, 2]] *= -1  # about y: what looked in looks out
    outward = Camera(
        world_from_camera=pose, intrinsics=camera.intrinsics, height=SIDE, width=SIDE
    )
    assert described(outward, noise(8, still_rim=False)).kind == "through"


def test_a_textured_background_that_stays_tells_of_a_turntable(described: Any) -> None:
    assert described(around(8), noise(8, still_rim=True)).is_turntable


def test_a_plain_backdrop_tells_nothing(described: Any) -> None:
    pictures = [
        np.pad(p[16:48, 16:48], ((16, 16), (16, 16), (0, 0)), constant_values=255)
        for p in noise(8, still_rim=False)
    ]
    assert not described(around(8), pictures).is_turntable
