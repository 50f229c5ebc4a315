"""Framing: captures come to where weights were trained, whatever world they are in."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nvs.assets import SAMPLE, sample_split
from nvs.cameras import Camera, PoseNormalisation, orbit
from nvs.cameras.se3 import flip_y_and_z, rigid, so3_exp
from nvs.errors import CameraError, ConfigError
from nvs.model.trained_on import TrainedOn
from nvs.scene import PosedViews, Renderer, load_views
from nvs.scene.concerns import stored_inverted
from nvs.scene.datasets import read_dataset
from nvs.scene.framing import choose
from nvs.scene.quality import mean_psnr_db
from nvs.train.synthetic import draw_scenes

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


TURN = st.tuples(UNIT, UNIT, UNIT).map(lambda w: [math.pi * x for x in w])
LOG_SCALE = st.one_of(st.floats(-3, -0.3), st.floats(0.3, 6))
"""Not so near to 1 that the cameras may count as in place."""
SHIFT = st.tuples(UNIT, UNIT, UNIT).map(lambda p: [1e7 * x for x in p])


def turn_about_z(framed: Camera, own: Camera) -> torch.Tensor:
    """The one similarity, a turn about z, that brings own cameras to framed ones."""
    relative = framed.world_from_camera @ torch.linalg.inv(own.world_from_camera)
    turn, tolerance = relative[0], {"rtol": 0, "atol": 1e-4}
    torch.testing.assert_close(relative, turn.expand_as(relative), **tolerance)
    torch.testing.assert_close(turn[2:], torch.eye(4).double()[2:], **tolerance)
    torch.testing.assert_close(turn[:, 2:], torch.eye(4).double()[:, 2:], **tolerance)
    return turn


@settings(deadline=None, max_examples=15)
@given(
    turn=TURN,
    log_scale=LOG_SCALE,
    shift=SHIFT,
    world_up=st.sampled_from([None, (0.0, 0.0, 1.0)]),
)
def test_any_world_gives_the_same_framing_but_for_a_turn_about_z(
    turn: list[float],
    log_scale: float,
    shift: list[float],
    world_up: tuple[float, float, float] | None,
) -> None:
    tilt = float(so3_exp(torch.tensor(turn, dtype=torch.float64))[:2, 2].norm())
    # A file's own up axis counts where it is as near as a tripod's is level.
    assume(world_up is None or not 1e-6 < tilt < math.radians(0.2))
    own = sample()
    other = moved(own, turn, 10**log_scale, shift)
    found = choose(other, OBJECTS, world_up=world_up).required().apply(other)
    turn_about_z(found, own)


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


def outwards(camera: Camera) -> Camera:
    """The cameras, turned round about their y axes."""
    back = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64))
    return replace(camera, world_from_camera=camera.world_from_camera @ back)


@settings(deadline=None, max_examples=20)
@given(turn=TURN, log_scale=LOG_SCALE, shift=SHIFT, elevation=st.floats(-30, 30))
def test_views_all_round_outwards_are_framed_level_at_their_middle(
    turn: list[float], log_scale: float, shift: list[float], elevation: float
) -> None:
    # On the z axis these are also the inverses of poses around the origin.
    assume(shift[2] == 0 or math.hypot(*shift[:2]) > abs(shift[2]) / 2)
    camera = moved(outwards(ring(elevation)), turn, 10**log_scale, shift)
    framing = choose(camera, SCENES)
    assert "all round" in framing.reason
    framed = framing.required().apply(camera)
    center = framed.center
    assert center.mean(0).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert float(center.abs().max()) == pytest.approx(1)
    up = framing.required().model_from_world[:3, :3] @ torch.tensor(framing.up).double()
    assert (up / up.norm()).tolist() == pytest.approx([0, -1, 0], abs=1e-6)
    ahead = framed.forward[0]
    assert float(ahead[0]) == pytest.approx(0, abs=1e-6)
    assert float(ahead[2]) > 0


def test_a_wide_arc_outwards_keeps_its_mean_camera() -> None:
    camera = outwards(ring(num_views=16))[:14]
    mean = PoseNormalisation.from_mean_camera(camera).model_from_world
    torch.testing.assert_close(choose(camera, SCENES).required().model_from_world, mean)


def test_views_all_round_one_thing_are_refused_for_scenes() -> None:
    (concern,) = choose(ring(), SCENES).concerns
    assert concern.verdict == "hopeless"
    assert "weights for objects" in concern.remedy


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


@pytest.mark.parametrize("opengl", [False, True])
@pytest.mark.parametrize("trained_on", [OBJECTS, SCENES])
@settings(deadline=None, max_examples=5)
@given(turn=TURN, log_scale=LOG_SCALE)
def test_inverted_poses_are_told_and_their_convention_puts_them_right(
    opengl: bool, trained_on: TrainedOn, turn: list[float], log_scale: float
) -> None:
    # Around something far from the origin both may look at one thing: none is told.
    camera = moved(sample(), turn, 10**log_scale, [0.0, 0.0, 0.0])
    stored = camera.world_from_camera
    inverse = torch.linalg.inv(flip_y_and_z(stored) if opengl else stored)
    (concern, *_) = choose(
        replace(camera, world_from_camera=inverse), trained_on
    ).concerns
    expected = "inverted-opengl" if opengl else "inverted"
    assert concern.verdict in ("degraded", "hopeless")
    assert (concern.verdict == "hopeless") or trained_on is SCENES
    assert f" {expected} (" in concern.remedy
    assert stored_inverted(camera) is None


@pytest.mark.parametrize("hand", [0.0, 0.1, 1.0])
def test_views_of_a_tripod_are_hopeless_for_objects_and_said_for_scenes(
    hand: float,
) -> None:
    random = torch.Generator().manual_seed(1)

    def noise() -> torch.Tensor:
        return torch.randn(24, 3, dtype=torch.float64, generator=random)

    eye = torch.tensor([0.0, -2.0, 0.7], dtype=torch.float64) + 1e-3 * noise()
    camera = Camera.look_at(
        eye,
        hand * noise(),
        up=torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64),
        hfov_radians=0.9,
        height=32,
        width=32,
    )
    assert choose(camera, OBJECTS).verdict == "hopeless"
    assert choose(camera, OBJECTS).normalisation is None
    assert choose(camera, OBJECTS, framing="none").normalisation is not None
    said = choose(camera, SCENES)
    assert said.verdict == "degraded"
    assert "no parallax" in said.concerns[0].problem


def test_an_up_axis_that_the_cameras_are_not_held_by_is_said() -> None:
    assert choose(ring(), OBJECTS, up=(0.0, 0.0, 2.0)).verdict == "fine"
    (concern,) = choose(ring(), OBJECTS, up=(0.0, 0.0, -1.0)).concerns
    assert "180° from what is up" in concern.problem


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


@pytest.fixture(scope="module")
def objects() -> Renderer:
    return Renderer.from_weights("lact_small", device="cpu", precision="float32")


@pytest.fixture(scope="module")
def sample_views() -> PosedViews:
    inputs, _ = sample_split()
    return load_views(SAMPLE, size=32, views=inputs[::2])


@pytest.fixture(scope="module")
def room_views() -> PosedViews:
    """Views of a room as it was drawn, in the middle of its own world."""
    room = draw_scenes("room", batch=1, views=12, height=32, width=32, seed=3)
    drawn = room.render("cpu")
    camera = Camera(
        world_from_camera=drawn.world_from_camera[0].double(),
        intrinsics=drawn.intrinsics[0].double(),
        height=32,
        width=32,
    )
    names = tuple(f"{index}.png" for index in range(12))
    return PosedViews(image=drawn.image[0], camera=camera, names=names)


def psnr_at_inputs(renderer: Renderer, views: PosedViews, **framing: Any) -> float:
    scene = renderer.prefill(views, dtype=torch.float32, **framing)
    renders = renderer.render(scene, views.camera)
    return mean_psnr_db(renders, views.image.permute(0, 2, 3, 1))


@settings(deadline=None, max_examples=2)
@given(turn=TURN, log_scale=LOG_SCALE, shift=SHIFT)
def test_any_world_gives_the_same_pictures_once_that_turn_is_undone(
    objects: Renderer,
    sample_views: PosedViews,
    turn: list[float],
    log_scale: float,
    shift: list[float],
) -> None:
    own = sample_views.camera
    camera = moved(own, turn, 10**log_scale, shift)
    views = replace(sample_views, camera=camera, world_up=None)
    found = objects.frame(views).required()
    back = torch.linalg.inv(turn_about_z(found.apply(camera), own))
    undone = replace(found, model_from_world=back @ found.model_from_world)
    expected = psnr_at_inputs(objects, sample_views)
    assert expected > 18
    assert psnr_at_inputs(objects, views, normalisation=undone) == pytest.approx(
        expected, abs=0.05
    )


@pytest.mark.parametrize(
    ("capture", "weights"),
    [
        ("sample_views", "lact_small"),
        ("room_views", "lact_small"),
        ("room_views", "lact_room"),
    ],
)
def test_auto_is_no_worse_than_object_in_another_world(
    request: pytest.FixtureRequest, capture: str, weights: str
) -> None:
    views: PosedViews = request.getfixturevalue(capture)
    camera = moved(views.camera, [0.4, -2.0, 1.1], 37.0, [5e5, 4.2e6, 300.0])
    views = replace(views, camera=camera)
    renderer = Renderer.from_weights(weights, device="cpu", precision="float32")
    found = psnr_at_inputs(renderer, views)
    assert found >= psnr_at_inputs(renderer, views, framing="object") - 0.05
