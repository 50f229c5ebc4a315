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
from tests.fakes.backend import FakeBackend, colour_of
from tests.fakes.proxy import Fault

EYE = LookAt(eye=np.array([2.0, 0, 1]), target=(0, 0, 0), vertical_fov_degrees=50)
SIZE = {"height": 16, "width": 24}


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
def test_an_encoded_picture(
    call, service, tmp_path, format: str, scene_id: str
) -> None:
    picture = call("render", scene_id, EYE, **SIZE, format=format, quality=100)
    array = picture.array()
    assert (array.shape, array.dtype) == ((16, 24, 3), np.uint8)
    (camera,) = service.backend.orders[-1].cameras
    if format == "png":
        assert (array == colour_of(camera)).all()
    times = {"queue": 1.0, "load": 2.5, "model": 3.0, "encode": 4.0}
    assert picture.timings_ms == times
    assert picture.tier == "host"
    picture.save(tmp_path / "a.img")
    assert (tmp_path / "a.img").read_bytes() == picture.data
    assert service.proxy.requests[-1].json == {
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


def test_float32_is_exact(call, service, scene_id: str) -> None:
    array = call("render", scene_id, EYE, **SIZE, format="float32").array()
    assert (array.shape, array.dtype) == ((16, 24, 3), np.float32)
    (camera,) = service.backend.orders[-1].cameras
    assert (array == np.float32(colour_of(camera)) / 255).all()


def row(count: int) -> list[LookAt]:
    """Cameras that are told apart by where they are."""
    return [
        LookAt(eye=(x, 1, 1), target=(0, 0, 0), vertical_fov_degrees=50)
        for x in range(count)
    ]


def check_order(pictures: list[Picture], backend: FakeBackend, count: int) -> None:
    rendered = [camera for order in backend.orders for camera in order.cameras]
    assert [one.world_from_camera[0][3] for one in rendered] == [*range(count)]
    found = [tuple(one.array()[0, 0].tolist()) for one in pictures]
    assert found == [colour_of(camera) for camera in rendered]


def test_a_batch_keeps_its_order_over_several_requests(call, service, scene_id) -> None:
    pictures = call("render_batch", scene_id, row(70), **SIZE)
    check_order(pictures, service.backend, 70)
    assert [len(one.json["cameras"]) for one in service.proxy.requests] == [64, 6]


@pytest.mark.parametrize(("most", "count"), [(1, 5), (5, 70), (63, 70)])
def test_a_service_may_take_fewer_cameras_at_once(
    call, service, scene_id, monkeypatch, most: int, count: int
) -> None:
    fewer = {"max_batch_cameras": most}
    settings = service.state.settings.model_copy(update=fewer)
    monkeypatch.setitem(service.state._state, "settings", settings)
    pictures = call("render_batch", scene_id, row(count), **SIZE)
    check_order(pictures, service.backend, count)


def test_a_batch_that_is_refused_at_any_length(call, service, scene_id) -> None:
    refusal = Fault(pattern="POST .*", status=422, field="cameras")
    service.proxy.faults = [refusal] * 2
    with pytest.raises(ServiceError, match="refused"):
        call("render_batch", scene_id, [EYE] * 3, **SIZE)
    lengths = [len(one.json["cameras"]) for one in service.proxy.requests]
    assert lengths == [3, 1]


@pytest.mark.parametrize("format", ["png", "float32"])
def test_something_else_than_a_picture(format: str) -> None:
    picture = Picture(data=b"<html>", format=format, height=16, width=24)
    with pytest.raises(ServiceAnswerError, match=f"did not send a {format} picture"):
        picture.array()


def test_something_else_than_a_zip(client, service) -> None:
    service.proxy.faults = [Fault(pattern="POST .*", status=200, page=b"<html>")]
    with pytest.raises(ServiceAnswerError, match="did not send a zip"):
        client.render_batch("a" * 26, [EYE], **SIZE)


def test_cameras_become_plain_json() -> None:
    pose = np.eye(4, dtype=np.float32)
    posed = PosedCamera(world_from_camera=pose, fx=8, fy=9, cx=4, cy=5)
    fov = PosedCameraFov(world_from_camera=pose, vertical_fov_degrees=40.0)
    assert camera_to_json(posed)["world_from_camera"] == np.eye(4).tolist()
    assert camera_to_json(fov)["vertical_fov_degrees"] == 40.0
    assert camera_to_json(EYE)["eye"] == [2, 0, 1]
    assert camera_to_json({"eye": [1, 2, 3]}) == {"eye": [1, 2, 3]}
