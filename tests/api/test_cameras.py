from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nvs.api.cameras import (
    IDENTITY,
    Camera,
    LookAt,
    PosedCamera,
    PosedCameraFov,
)
from nvs.api.renders import RenderRequest
from nvs.cameras import Camera as TorchCamera
from nvs.errors import CameraError, NvsError

CAMERA: TypeAdapter[Any] = TypeAdapter(Camera)
INTRINSICS = {"fx": 100.0, "fy": 100.0, "cx": 32.0, "cy": 32.0}
LOOK_AT = {"eye": [2.5, 0.0, 1.0], "target": [0, 0, 0], "vertical_fov_degrees": 50}
NAN, INF = float("nan"), float("inf")


def pose(**cells: float) -> list[list[float]]:
    rows = [list(row) for row in IDENTITY]
    for place, value in cells.items():
        rows[int(place[1])][int(place[2])] = value
    return rows


def posed(rows: Any, **changes: Any) -> dict[str, Any]:
    return {"world_from_camera": rows} | INTRINSICS | changes


def message(camera: Any) -> tuple[str, str]:
    """The field and the text that a request with this camera is refused with."""
    with pytest.raises(ValidationError) as caught:
        RenderRequest.model_validate({"camera": camera, "height": 64, "width": 64})
    found = caught.value.errors()[0]
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, NvsError):
        assert cause.remedy
    return ".".join(map(str, found["loc"])), found["msg"]


MATRIX = "camera.world_from_camera"
REFUSED = {
    "nan": (posed(pose(r03=NAN)), f"{MATRIX}.0.3", "a finite number"),
    "infinite": (posed(pose(r23=INF)), f"{MATRIX}.2.3", "a finite number"),
    "text": (posed(pose(r03="1")), f"{MATRIX}.0.3", "a valid number"),  # type: ignore[arg-type]
    "boolean": (posed(pose(r00=True)), f"{MATRIX}.0.0", "a valid number"),
    "scaled": (posed(pose(r00=1.01)), MATRIX, "not orthonormal (off by 0.02)"),
    "zero": (posed(pose(r00=0.0)), MATRIX, "not orthonormal (off by 1)"),
    "huge": (posed(pose(r00=1e200)), MATRIX, "not orthonormal (off by inf)"),
    "reflected": (posed(pose(r00=-1.0)), MATRIX, "left-handed (a reflection)"),
    "transposed": (
        posed([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 3, 1]]),
        MATRIX,
        "the last row of the pose is 0 0 3 1",
    ),
    "far": (posed(pose(r13=1e39)), MATRIX, "the camera centre is at 0 1e+39 -2.5"),
    "three rows": (posed(IDENTITY[:3]), MATRIX, "at least 4 items"),
    "five numbers": (posed([[1.0] * 5] * 4), f"{MATRIX}.0", "at most 4 items"),
    "no focal length": (posed(IDENTITY, fx=0.0), "camera.fx", "greater than"),
    "negative": (posed(IDENTITY, fy=-3.0), "camera.fy", "greater than"),
    "tiny": (posed(IDENTITY, fx=1e-300), "camera.fx", "float32 does not hold 1e-300"),
    "nan focal": (posed(IDENTITY, fx=NAN), "camera.fx", "a finite number"),
    "centre": (posed(IDENTITY, cx=1e39), "camera.cx", "float32 does not hold 1e+39"),
    "missing": ({"world_from_camera": IDENTITY}, "camera.fx", "Field required"),
    "unknown": (posed(IDENTITY, roll=3), "camera.roll", "Extra inputs"),
    "narrow": (
        {"world_from_camera": IDENTITY, "vertical_fov_degrees": 1},
        "camera.vertical_fov_degrees",
        "greater than 1",
    ),
    "wide": (
        LOOK_AT | {"vertical_fov_degrees": 170},
        "camera.vertical_fov_degrees",
        "less than 170",
    ),
    "on its target": (
        LOOK_AT | {"target": [2.5, 0.0, 1.0]},
        "camera",
        "eye and target are the same point",
    ),
    "beside its target": (
        LOOK_AT | {"eye": [0, 0, 5e-324]},
        "camera",
        "eye and target are the same point",
    ),
    "along up": (
        LOOK_AT | {"eye": [0, 0, 3.0]},
        "camera",
        "looks straight along its up axis",
    ),
    "no up": (LOOK_AT | {"up": [0, 0, 0]}, "camera.up", "the up axis has no length"),
    "far eye": (
        LOOK_AT | {"eye": [0, 2e39, 0]},
        "camera.eye",
        "the point is at 0 2e+39",
    ),
    "far target": (
        LOOK_AT | {"target": [0, 0, -1e39]},
        "camera.target",
        "is at 0 0 -1e+39",
    ),
    "eye missing": ({"target": [0, 0, 0]}, "camera.eye", "Field required"),
    "a word": (LOOK_AT | {"eye": "here"}, "camera.eye", "it is str, not a list"),
    "rows of text": (posed(["1000"] * 4), f"{MATRIX}.0", "it is str, not a list"),
    "words": (LOOK_AT | {"eye": ["1", 2, 3]}, "camera.eye.0", "a valid number"),
    "no object": ([1, 2, 3], "camera", "the camera is list, not an object"),
    "nothing": (None, "camera", "the camera is NoneType, not an object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_with_field_and_reason(name: str) -> None:
    camera, field, text = REFUSED[name]
    found_field, found_text = message(camera)
    assert found_field == field
    assert text in found_text


def test_a_pose_within_tolerance_is_taken() -> None:
    camera = CAMERA.validate_python(posed(pose(r00=1.0004)))
    assert isinstance(camera, PosedCamera)


def test_forms_are_told_apart_by_their_fields() -> None:
    assert isinstance(CAMERA.validate_python(LOOK_AT), LookAt)
    fov = {"world_from_camera": IDENTITY, "vertical_fov_degrees": 40}
    assert isinstance(CAMERA.validate_python(fov), PosedCameraFov)


@pytest.mark.parametrize("form", [PosedCamera, PosedCameraFov, LookAt])
def test_examples_are_valid(form: Any) -> None:
    for example in form.model_config["json_schema_extra"]["examples"]:
        assert CAMERA.validate_python(example) == form.model_validate(example)


POSE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -2.5], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    "made",
    [
        np.float32,
        torch.tensor,
        lambda value: value if isinstance(value, float) else tuple(value),
    ],
)
def test_arrays_tensors_and_tuples_are_taken(made: Any) -> None:
    as_lists = PosedCamera(world_from_camera=POSE, fx=8, fy=8, cx=4, cy=4)
    focal, rows = made(8.0), [made(row) for row in POSE]
    camera = PosedCamera(world_from_camera=rows, fx=focal, fy=8, cx=4, cy=4)
    assert camera == as_lists
    assert camera.model_dump_json() == as_lists.model_dump_json()
    assert LookAt(eye=made([2.0, 0, 1]), target=(0, 0, 0), vertical_fov_degrees=50)


def test_whole_arrays_are_taken() -> None:
    camera = PosedCameraFov(world_from_camera=np.array(POSE), vertical_fov_degrees=50)
    assert camera.world_from_camera == POSE


@pytest.mark.parametrize("values", [[True, False, True], ["a", "b", "c"], [NAN, 1, 2]])
def test_arrays_of_something_else_are_not(values: list[Any]) -> None:
    with pytest.raises(ValidationError, match=r"eye\.0"):
        LookAt(eye=np.array(values), target=(0, 0, 0), vertical_fov_degrees=50)


def test_a_scaled_camera_sees_the_same() -> None:
    camera = PosedCamera(world_from_camera=POSE, fx=8, fy=9, cx=4, cy=5)
    twice = camera.scaled(height=2, width=3)
    assert (twice.fx, twice.fy, twice.cx, twice.cy) == (24, 18, 12, 10)
    assert twice.world_from_camera == camera.world_from_camera


FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
FOCAL = st.floats(2.0**-149, width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.tuples(FLOAT32, FLOAT32, FLOAT32), FOCAL, FOCAL, FLOAT32, FLOAT32)
def test_what_the_renderer_takes_the_service_takes(
    center: tuple[float, float, float], fx: float, fy: float, cx: float, cy: float
) -> None:
    """So whatever cameras the inputs of a scene have, they can be rendered."""
    rows = pose(r03=center[0], r13=center[1], r23=center[2])
    TorchCamera(
        world_from_camera=torch.tensor([rows]),
        intrinsics=torch.tensor([[fx, fy, cx, cy]]),
        height=64,
        width=64,
    ).check()
    camera = posed(rows, fx=fx, fy=fy, cx=cx, cy=cy)
    request = {"camera": camera, "height": 64, "width": 64}
    taken = RenderRequest.model_validate(request).camera
    assert taken.at_size(64, 64).model_dump() == camera


@settings(deadline=None, max_examples=60)
@given(st.floats(1e-3, 1e30), st.floats(-1e30, 1e30))
def test_a_look_at_of_any_size_is_a_pose(size: float, offset: float) -> None:
    eye, target = [size + offset, 0.0, 0.0], [offset, 0.0, 0.0]
    assume(eye != target)
    camera = LookAt(eye=eye, target=target, vertical_fov_degrees=50).at_size(64, 64)
    assert [row[3] for row in camera.world_from_camera[:3]] == eye
    assert [row[2] for row in camera.world_from_camera[:3]] == [-1, 0, 0]


COORDINATE = st.floats(-50, 50)
POINT = st.tuples(COORDINATE, COORDINATE, COORDINATE)


@settings(deadline=None, max_examples=60)
@given(
    eye=POINT,
    target=POINT,
    up=POINT,
    fov_degrees=st.floats(2, 160),
    height=st.integers(16, 512),
    width=st.integers(16, 512),
)
def test_look_at_is_that_of_the_library(
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    up: tuple[float, float, float],
    fov_degrees: float,
    height: int,
    width: int,
) -> None:
    assume(math.dist(eye, target) > 1e-3)
    assume(math.hypot(*up) > 1e-3)
    vertical = math.radians(fov_degrees)
    horizontal = 2 * math.atan(math.tan(vertical / 2) * width / height)
    try:
        expected = TorchCamera.look_at(
            torch.tensor([eye], dtype=torch.float64),
            torch.tensor([target], dtype=torch.float64),
            up=torch.tensor(up, dtype=torch.float64),
            hfov_radians=horizontal,
            height=height,
            width=width,
        ).check()
    except CameraError:
        assume(False)
    sine = torch.linalg.cross(
        expected.forward[0], torch.tensor(up, dtype=torch.float64)
    ).norm()
    assume(float(sine) > 1e-4 * math.hypot(*up))

    camera = LookAt(
        eye=list(eye),
        target=list(target),
        up=list(up),
        vertical_fov_degrees=fov_degrees,
    ).at_size(height, width)

    rows = torch.tensor(camera.world_from_camera, dtype=torch.float64)
    torch.testing.assert_close(rows, expected.world_from_camera[0], atol=1e-9, rtol=0)
    intrinsics = [camera.fx, camera.fy, camera.cx, camera.cy]
    torch.testing.assert_close(
        torch.tensor(intrinsics, dtype=torch.float64),
        expected.intrinsics[0],
        rtol=1e-9,
        atol=1e-9,
    )


def test_up_in_the_world_is_up_in_the_image() -> None:
    camera = LookAt.model_validate(LOOK_AT).at_size(64, 64)
    down = [row[1] for row in camera.world_from_camera[:3]]
    assert down[2] < -0.9
    forward = [row[2] for row in camera.world_from_camera[:3]]
    assert forward == pytest.approx([-0.9285, 0, -0.3714], abs=1e-4)


@settings(deadline=None)
@given(st.floats(0.05, 20), st.floats(0.01, 1.5))
def test_a_field_of_view_ends_at_the_edges(distance: float, half: float) -> None:
    """The point seen at the top edge is half the view angle above the middle."""
    assume(1 < 2 * math.degrees(half) < 170)
    camera = PosedCameraFov(
        world_from_camera=IDENTITY, vertical_fov_degrees=2 * math.degrees(half)
    ).at_size(48, 96)
    row = camera.cy - camera.fy * (distance * math.tan(half)) / distance
    assert row == pytest.approx(0, abs=1e-9)
    assert camera.cx == 48
    assert camera.fx == camera.fy
