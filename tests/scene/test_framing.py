"""Framing: captures come to where weights were trained, whatever world they are in."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvs.assets import SAMPLE
from nvs.cameras import Camera, PoseNormalisation, orbit
from nvs.cameras.se3 import rigid, so3_exp
from nvs.errors import CameraError, ConfigError
from nvs.model.trained_on import TrainedOn
from nvs.scene.datasets import read_dataset
from nvs.scene.framing import choose

OBJECTS = TrainedOn(
    poses="object",
    num_inputs=(4, 12),
    distance=(2.0, 3.4),
    elevation_degrees=(-20.0, 80.0),
    hfov_degrees=(35.0, 60.0),
    background="white",
)
SCENES = TrainedOn(poses="scene", hfov_degrees=(35.0, 85.0), background="any")
UNIT = st.floats(-1, 1)


def sample() -> Camera:
    frames = read_dataset(SAMPLE).frames
    return Camera.cat([frame.camera for frame in frames])


def moved(
    camera: Camera, turn: list[float], scale: float, shift: list[float]
) -> Camera:
    world = rigid(
        so3_exp(torch.tensor(turn, dtype=torch.float64)),
        torch.tensor(shift, dtype=torch.float64),
    )
    world[:3, :3] *= scale
    return PoseNormalisation(kind="object", model_from_world=world).apply(camera)


def ring(
    elevation_degrees: float = 20.0, num_views: int = 8, **change: float
) -> Camera:
    values = {"radius": 2.7, "hfov_radians": math.radians(50)} | change
    return orbit(
        num_views,
        elevation_radians=math.radians(elevation_degrees),
        height=64,
        width=64,
        **values,
    )


@settings(deadline=None, max_examples=40)
@given(
    turn=st.tuples(UNIT, UNIT, UNIT).map(lambda w: [math.pi * x for x in w]),
    log_scale=st.one_of(st.floats(-3, -0.3), st.floats(0.3, 6)),
    shift=st.tuples(UNIT, UNIT, UNIT).map(lambda p: [1e7 * x for x in p]),
    world_up=st.sampled_from([None, (0.0, 0.0, 1.0)]),
)
def test_any_world_gives_the_same_framing_but_for_a_turn_about_z(
    turn: list[float],
    log_scale: float,
    shift: list[float],
    world_up: tuple[float, float, float] | None,
) -> None:
    own = sample()
    framed = (
        choose(own, OBJECTS, framing="object", up=(0.0, 0.0, 1.0)).required().apply(own)
    )
    other = moved(own, turn, 10**log_scale, shift)
    found = choose(other, OBJECTS, world_up=world_up).required().apply(other)
    relative = found.world_from_camera @ torch.linalg.inv(framed.world_from_camera)
    about_z = relative[0]
    tolerance = {"rtol": 0, "atol": max(1e-4, 1e-8 * 1e7 / 10**log_scale)}
    torch.testing.assert_close(relative, about_z.expand_as(relative), **tolerance)
    torch.testing.assert_close(about_z[2], torch.eye(4).double()[2], **tolerance)


def test_cameras_where_weights_were_trained_stay() -> None:
    for camera in (sample(), ring(), ring(radius=2.1), ring(num_views=1)):
        framing = choose(camera, OBJECTS, world_up=(0.0, 0.0, 1.0))
        assert framing.required().kind == "none"
        assert framing.up == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    "camera",
    [
        ring(radius=7.0),
        ring(center=(0.4, 0.0, 0.0)),
        ring(up=(0.0, 1.0, 0.0)),
        ring(radius=0.3),
    ],
)
def test_cameras_elsewhere_are_brought_there(camera: Camera) -> None:
    framing = choose(camera, OBJECTS)
    assert framing.verdict == "fine"
    framed = framing.required().apply(camera)
    distance = framed.center.norm(dim=-1)
    torch.testing.assert_close(distance, torch.full_like(distance, 2.7))
    height = framed.center[:, 2] / distance
    torch.testing.assert_close(height, torch.full_like(height, math.sin(math.pi / 9)))


def test_a_few_views_that_look_elsewhere_do_not_move_the_middle() -> None:
    camera = ring(num_views=16, radius=5.0, center=(10.0, 0.0, 0.0))
    aside = so3_exp(torch.tensor([0.3, 0.0, 0.0], dtype=torch.float64))
    camera.world_from_camera[3, :3, :3] = camera.world_from_camera[3, :3, :3] @ aside
    middle = choose(camera, OBJECTS).required().world_from_model[:3, 3]
    expected = torch.tensor([10.0, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(middle, expected, rtol=0, atol=1e-6)


def test_up_of_the_world_counts_where_hand_held_cameras_agree() -> None:
    camera = ring(radius=9.0)
    sway = so3_exp(torch.randn(8, 3, dtype=torch.float64) * math.radians(4))
    poses = camera.world_from_camera.clone()
    poses[:, :3, :3] = poses[:, :3, :3] @ sway
    held = Camera(
        world_from_camera=poses, intrinsics=camera.intrinsics, height=64, width=64
    )
    assert choose(held, OBJECTS, world_up=(0.0, 0.0, 1.0)).up == (0.0, 0.0, 1.0)
    leaning = choose(held, OBJECTS, world_up=(0.0, 1.0, 0.0))
    assert leaning.up != (0.0, 1.0, 0.0)
    assert "° from its file's up axis" in leaning.reason
    assert choose(held, OBJECTS, up=(0.0, 3.0, 0.0)).up == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("camera", "trained_on", "problem"),
    [
        (ring(radius=9.0)[[0] * 4], OBJECTS, "parallel"),
        (ring(radius=9.0, num_views=1), OBJECTS, "one view meets no other"),
        (ring(elevation_degrees=0.0), SCENES, "cancel out"),
        (ring()[[2] * 3], SCENES, "in one place"),
    ],
)
def test_what_cannot_work_is_said_and_refused(
    camera: Camera, trained_on: TrainedOn, problem: str
) -> None:
    framing = choose(camera, trained_on)
    assert framing.verdict == "hopeless"
    assert problem in framing.concerns[0].problem
    with pytest.raises(CameraError, match=problem):
        framing.required()
    assert choose(camera, trained_on, framing="none").required().kind == "none"


@pytest.mark.parametrize(
    ("camera", "white", "problem"),
    [
        (ring(num_views=3), True, "3 views"),
        (ring(hfov_radians=2.0), True, "field of view of 8 of 8 views is 115°"),
        (ring(elevation_degrees=-60.0), True, "elevation of 8 of 8 views is -60°"),
        (ring(), False, "background"),
    ],
)
def test_what_is_unlike_training_is_said(
    camera: Camera, white: bool, problem: str
) -> None:
    framing = choose(camera, OBJECTS, white_background=white)
    assert framing.verdict == "degraded"
    assert problem in framing.concerns[0].problem
    assert framing.required().kind == "none"


def test_one_far_view_is_named() -> None:
    camera = ring(num_views=8, radius=9.0)
    camera.world_from_camera[5, :3, 3] *= 2
    (concern,) = choose(camera, OBJECTS).concerns
    assert concern.views == (5,)
    assert "distance" in concern.problem


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigError, match="no framing 'sideways'"):
        choose(ring(), OBJECTS, framing="sideways")
    with pytest.raises(CameraError, match="up axis"):
        choose(ring(), OBJECTS, up=(0.0, 0.0, 0.0))
