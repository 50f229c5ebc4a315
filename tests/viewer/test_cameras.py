"""The page's camera maths against the project's own, in the browser that runs it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from nvs.cameras import Camera, through
from nvs.cameras.aggregate import look_at_point
from nvs.cameras.se3 import se3_exp, se3_log
from tests.viewer.conftest import Fake

CAMERAS = "/viewer/js/cameras"


@pytest.fixture
def call(open_page: Callable[..., Page], fake: Fake) -> Callable[..., Any]:
    """`call("rigid.js", "log", T)`: a function of a module, in the browser."""
    page = open_page(f"{fake.url}/viewer/favicon.svg")

    def run(module: str, expression: str, *values: Any) -> Any:
        script = f"""async (values) => {{
            const m = await import('{CAMERAS}/{module}');
            return ({expression})(...values);
        }}"""
        return page.evaluate(script, list(values))

    return run


def poses(num: int, largest_radians: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    twist = torch.randn(num, 6, generator=generator, dtype=torch.float64)
    w = twist[:, :3]
    size = torch.rand(num, 1, generator=generator, dtype=torch.float64)
    twist[:, :3] = w / w.norm(dim=-1, keepdim=True) * size * largest_radians
    return se3_exp(twist)


def test_logarithms_are_those_of_the_library(call: Callable[..., Any]) -> None:
    motions = poses(20)
    found = call("rigid.js", "(Ts) => Ts.map((T) => m.log(T).flat())", motions.tolist())
    np.testing.assert_allclose(found, se3_log(motions), atol=1e-9)


def test_exp_undoes_log_near_none_and_near_half_a_turn(
    call: Callable[..., Any],
) -> None:
    axis = torch.tensor([0.36, -0.48, 0.8], dtype=torch.float64)
    angles = [0.0, 1e-7, 1e-3, 1.0, math.pi - 1e-4]
    shift = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    motions = se3_exp(torch.stack([torch.cat([axis * a, shift]) for a in angles]))
    found = call("rigid.js", "(Ts) => Ts.map((T) => m.exp(m.log(T)))", motions.tolist())
    np.testing.assert_allclose(found, motions, atol=1e-9)


def test_look_at_is_that_of_the_library(call: Callable[..., Any]) -> None:
    eye, target, up = [2.0, -1.0, 0.5], [0.1, 0.2, -0.3], [0.0, 0.3, 1.0]
    camera = Camera.look_at(
        *(torch.tensor([value], dtype=torch.float64) for value in (eye, target)),
        up=torch.tensor([up], dtype=torch.float64),
        hfov_radians=1.0,
        height=8,
        width=8,
    )
    found = call("rigid.js", "(...v) => m.lookAt(...v)", eye, target, up)
    np.testing.assert_allclose(found, camera.world_from_camera[0], atol=1e-12)
    assert (
        call("rigid.js", "(...v) => m.lookAt(...v)", eye, target, [1.9, -1.2, 0.8])
        is None
    )


def test_three_sees_a_point_where_the_camera_does(call: Callable[..., Any]) -> None:
    """Pose and lens handed to OpenGL put every point at OpenCV's pixel."""
    pose = poses(1)[0].numpy()
    height, width = 40, 60
    fx, fy, cx, cy = 50.0, 55.0, 28.0, 23.0
    point = pose @ np.array([0.3, -0.2, 2.0, 1.0])
    view, projection = call(
        "conventions.js",
        "(pose, lens) => [m.threeElements(pose), m.projectionElements(lens, 0.1, 10)]",
        pose.tolist(),
        {"fx": fx / width, "fy": fy / height, "cx": cx / width, "cy": cy / height},
    )
    world_from_view = np.array(view).reshape(4, 4).T
    clip = np.array(projection).reshape(4, 4).T @ np.linalg.inv(world_from_view) @ point
    x, y, _ = clip[:3] / clip[3]
    pixel = [(x + 1) / 2 * width, (1 - y) / 2 * height]
    np.testing.assert_allclose(pixel, [fx * 0.15 + cx, fy * -0.1 + cy], atol=1e-9)


def test_conventions_round_trip(call: Callable[..., Any]) -> None:
    pose = poses(1)[0]
    back = call(
        "conventions.js", "(p) => m.poseOfElements(m.threeElements(p))", pose.tolist()
    )
    np.testing.assert_allclose(back, pose, atol=1e-15)


@pytest.mark.parametrize("closed", [False, True])
def test_paths_are_those_of_the_command_line(
    call: Callable[..., Any], closed: bool
) -> None:
    camera = Camera(
        world_from_camera=poses(4, 1.0),
        intrinsics=torch.tensor(
            [[50.0 + 5 * i, 60.0, 30.0, 20.0] for i in range(4)], dtype=torch.float64
        ),
        height=40,
        width=60,
    )
    num_segments = 4 if closed else 3
    path = through(camera, 4 * num_segments + (not closed), closed=closed)
    keys = [
        {
            "seconds": 2.0 * i,
            "pose": pose,
            "lens": {
                "fx": k[0] / 60,
                "fy": k[1] / 40,
                "cx": k[2] / 60,
                "cy": k[3] / 40,
            },
        }
        for i, (pose, k) in enumerate(
            zip(
                camera.world_from_camera.tolist(),
                camera.intrinsics.tolist(),
                strict=True,
            )
        )
    ]
    found = call(
        "spline.js",
        """(keys, closing, num) => {
            const curve = m.splineThrough(keys, closing);
            const at = (i) => curve(Math.floor(i / 4), (i % 4) / 4);
            return Array.from({length: 4 * num}, (_, i) => at(i));
        }""",
        keys,
        2.0 if closed else 0.0,
        num_segments,
    )
    expected = path.world_from_camera[: 4 * num_segments]
    np.testing.assert_allclose([view["pose"] for view in found], expected, atol=1e-9)
    focal = [view["lens"]["fx"] * 60 for view in found]
    np.testing.assert_allclose(focal, path.intrinsics[: 4 * num_segments, 0], atol=1e-9)


def test_focus_is_that_of_the_library(call: Callable[..., Any]) -> None:
    eyes = torch.tensor([[3.0, 0.1, 0.5], [0.0, 2.5, 0.7], [-2.0, 1.0, 1.0]]).double()
    camera = Camera.look_at(
        eyes,
        torch.tensor([[0.1, 0.0, 0.2], [0.0, -0.1, 0.1], [0.0, 0.0, 0.3]]).double(),
        up=torch.tensor([[0.0, 0.0, 1.0]] * 3).double(),
        hfov_radians=1.0,
        height=8,
        width=8,
    )
    found = call(
        "aggregate.js", "(p) => m.lookAtPoint(p)", camera.world_from_camera.tolist()
    )
    np.testing.assert_allclose(found, look_at_point(camera), atol=1e-9)


def test_turning_keeps_distance_and_horizon(call: Callable[..., Any]) -> None:
    pose = call("rigid.js", "(...v) => m.lookAt(...v)", [3, 0, 1], [0, 0, 0], [0, 0, 1])
    turned = np.array(
        call(
            "navigation.js",
            "(pose) => m.orbited(pose, [0, 0, 0], [0, 0, 1], Math.PI / 2, 0.2)",
            pose,
        )
    )
    eye = turned[:3, 3]
    assert np.linalg.norm(eye) == pytest.approx(math.sqrt(10))
    assert math.atan2(eye[1], eye[0]) == pytest.approx(math.pi / 2)
    assert math.asin(eye[2] / math.sqrt(10)) == pytest.approx(math.atan2(1, 3) + 0.2)
    assert turned[2, 0] == pytest.approx(0.0, abs=1e-12)
    steep = call(
        "navigation.js",
        "(pose) => m.orbited(pose, [0, 0, 0], [0, 0, 1], 0, 10)",
        pose,
    )
    assert steep[2][3] / math.sqrt(10) == pytest.approx(math.sin(math.radians(89)))


def test_links_restore_the_camera(call: Callable[..., Any]) -> None:
    pose = poses(1)[0]
    lens = {"fx": 1.1, "fy": 1.4, "cx": 0.48, "cy": 0.53}
    plain = {"fx": 0.8, "fy": 1.2, "cx": 0.5, "cy": 0.5}
    for one in (lens, plain):
        found = call(
            "../walk/links.js",
            "(v) => m.cameraOfFragment('#' + m.fragmentOf(v), v.aspect)",
            {
                "pose": pose.tolist(),
                "lens": one,
                "up": [0, 1, 0],
                "mode": "fly",
                "aspect": 1.5,
            },
        )
        np.testing.assert_allclose(found["pose"], pose, atol=1e-8)
        assert found["lens"] == pytest.approx(one, abs=1e-8)
        assert (found["up"], found["mode"]) == ([0, 1, 0], "fly")
    assert call("../walk/links.js", "() => m.cameraOfFragment('#p=1,2&q=x', 1)") is None
