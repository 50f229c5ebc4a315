"""Pictures as bytes and as arrays."""

from __future__ import annotations

import numpy as np
import pytest

from nvs.client import (
    LookAt,
    PosedCamera,
    PosedCameraFov,
    ServiceAnswerError,
    ServiceError,
)
from nvs.client.pictures import Picture, camera_to_json

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"
EYE = LookAt(eye=np.array([2.0, 0, 1]), target=(0, 0, 0), vertical_fov_degrees=50)
SIZE = {"height": 16, "width": 24}


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_an_encoded_picture(call, service, tmp_path, format: str) -> None:
    picture = call("render", SCENE_ID, EYE, **SIZE, format=format, quality=100)
    array = picture.array()
    assert (array.shape, array.dtype) == ((16, 24, 3), np.uint8)
    assert np.abs(array.astype(int) - 7).max() <= 2
    assert picture.timings_ms == {"queue": 1.5, "model": 20.0}
    assert picture.tier == "device"
    picture.save(tmp_path / "a.img")
    assert (tmp_path / "a.img").read_bytes() == picture.data
    assert service.requests[-1].json == {
        "camera": {
            "eye": [2.0, 0.0, 1.0],
            "target": [0, 0, 0],
            "vertical_fov_degrees": 50,
            "up": [0.0, 0.0, 1.0],
        },
        "height": 16,
        "width": 24,
        "format": format,
        "quality": 100,
        "background": "model",
    }


def test_float32_is_exact(call) -> None:
    array = call("render", SCENE_ID, EYE, **SIZE, format="float32").array()
    assert (array.shape, array.dtype) == ((16, 24, 3), np.float32)
    assert (array == np.float32(7 / 255)).all()


def test_a_batch_keeps_its_order_over_several_requests(call, service) -> None:
    cameras = [
        LookAt(eye=(x, 1, 1), target=(0, 0, 0), vertical_fov_degrees=50)
        for x in range(70)
    ]
    pictures = call("render_batch", SCENE_ID, cameras, **SIZE)
    assert [int(one.array()[0, 0, 0]) for one in pictures] == list(range(70))
    assert [len(one.json["cameras"]) for one in service.requests] == [64, 6]


@pytest.mark.parametrize("most", [1, 5, 63])
def test_a_service_may_take_fewer_cameras_at_once(call, service, most: int) -> None:
    service.max_batch = most
    cameras = [
        LookAt(eye=(x, 1, 1), target=(0, 0, 0), vertical_fov_degrees=50)
        for x in range(70)
    ]
    pictures = call("render_batch", SCENE_ID, cameras, **SIZE)
    assert [int(one.array()[0, 0, 0]) for one in pictures] == list(range(70))


def test_a_batch_that_is_refused_at_any_length(call, service) -> None:
    service.max_batch = 0
    with pytest.raises(ServiceError, match="refused"):
        call("render_batch", SCENE_ID, [EYE] * 3, **SIZE)
    assert [len(one.json["cameras"]) for one in service.requests] == [3, 1]


@pytest.mark.parametrize("format", ["png", "float32"])
def test_something_else_than_a_picture(format: str) -> None:
    picture = Picture(data=b"<html>", format=format, height=16, width=24)
    with pytest.raises(ServiceAnswerError, match=f"did not send a {format} picture"):
        picture.array()


def test_something_else_than_a_zip(client, monkeypatch, fakes) -> None:
    monkeypatch.setattr(fakes, "pictures", lambda request: b"<html>")
    with pytest.raises(ServiceAnswerError, match="did not send a zip"):
        client.render_batch(SCENE_ID, [EYE], **SIZE)


def test_cameras_become_plain_json() -> None:
    pose = np.eye(4, dtype=np.float32)
    posed = PosedCamera(world_from_camera=pose, fx=8, fy=9, cx=4, cy=5)
    fov = PosedCameraFov(world_from_camera=pose, vertical_fov_degrees=40.0)
    assert camera_to_json(posed)["world_from_camera"] == np.eye(4).tolist()
    assert camera_to_json(fov)["vertical_fov_degrees"] == 40.0
    assert camera_to_json(EYE)["eye"] == [2, 0, 1]
    assert camera_to_json({"eye": [1, 2, 3]}) == {"eye": [1, 2, 3]}
