from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from nvs.cameras import Camera, PoseNormalisation, orbit, project
from nvs.cameras.aggregate import look_at_point, mean_pose
from nvs.cameras.se3 import se3_exp
from nvs.errors import CameraError


def capture(num_views: int = 6) -> Camera:
    """Cameras in front of an object near the origin, in float64."""
    eye = torch.randn(num_views, 3, dtype=torch.float64) * torch.tensor([2.0, 0.3, 1.0])
    return Camera.look_at(
        eye + torch.tensor([0.0, -1.0, -5.0]),
        torch.randn(num_views, 3, dtype=torch.float64) / 10,
        up=torch.tensor([[0.0, -1.0, 0.1]], dtype=torch.float64),
        hfov_radians=0.8,
        height=16,
        width=24,
    )


def moved(camera: Camera, twist: torch.Tensor, scale: float) -> Camera:
    """The capture in a world turned, shifted and scaled."""
    poses = se3_exp(twist) @ camera.world_from_camera
    poses[:, :3, 3] *= scale
    return Camera(
        world_from_camera=poses,
        intrinsics=camera.intrinsics,
        height=camera.height,
        width=camera.width,
    )


TWIST = torch.tensor([0.4, -1.0, 0.7, 5.0, -3.0, 20.0], dtype=torch.float64)


def test_mean_camera_becomes_the_identity_and_centres_fill_the_cube() -> None:
    camera = capture()
    normal = PoseNormalisation.from_mean_camera(camera)
    model = normal.apply(camera).check()
    torch.testing.assert_close(
        mean_pose(model), torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-14
    )
    assert float(model.center.abs().max()) == pytest.approx(1, abs=1e-14)
    assert normal.kind == "mean_camera"
    assert normal.views == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("kind", ["mean_camera", "object"])
def test_rigid_motion_and_scale_of_the_world_do_not_matter(kind: str) -> None:
    camera = capture()
    if kind == "mean_camera":
        found = [
            PoseNormalisation.from_mean_camera(world).apply(world).world_from_camera
            for world in (camera, moved(camera, TWIST, 40.0))
        ]
    else:
        turn_about_up = TWIST * torch.tensor([0, 0, 1, 1, 1, 1])
        found = [
            PoseNormalisation.from_object(world, up=(0.0, 0.0, 1.0)).apply(world).center
            for world in (camera, moved(camera, turn_about_up, 40.0))
        ]
        found = [torch.cat([c[:, 2:], c.norm(dim=-1, keepdim=True)], -1) for c in found]
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["none", "mean_camera", "object"])
def test_pictures_do_not_change_and_invert_undoes_apply(kind: str) -> None:
    camera = capture()
    normal = {
        "none": PoseNormalisation.none,
        "mean_camera": lambda: PoseNormalisation.from_mean_camera(camera),
        "object": lambda: PoseNormalisation.from_object(camera),
    }[kind]()
    model = normal.apply(camera).check()
    assert torch.equal(model.intrinsics, camera.intrinsics)
    points = torch.randn(6, 10, 3, dtype=torch.float64)
    linear, shift = normal.model_from_world[:3, :3], normal.model_from_world[:3, 3]
    pixel, depth = project(camera, points)
    same, scaled = project(model, points @ linear.T + shift)
    torch.testing.assert_close(same, pixel, rtol=1e-11, atol=1e-10)
    torch.testing.assert_close(scaled, depth * normal.scale, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(
        normal.invert(model).world_from_camera,
        camera.world_from_camera,
        rtol=0,
        atol=1e-12,
    )
    torch.testing.assert_close(
        normal.world_from_model @ normal.model_from_world,
        torch.eye(4, dtype=torch.float64),
        rtol=0,
        atol=1e-12,
    )


def test_only_the_named_views_define_the_framing() -> None:
    camera = capture()
    normal = PoseNormalisation.from_mean_camera(camera, views=[4, 1, 2])
    assert normal.views == (4, 1, 2)
    others = capture(6)
    mixed = Camera.cat([others[:1], camera[1:3], others[3:4], camera[4:5], others[5:]])
    again = PoseNormalisation.from_mean_camera(mixed, views=(4, 1, 2))
    assert torch.equal(normal.model_from_world, again.model_from_world)
    everything = PoseNormalisation.from_mean_camera(camera)
    assert not torch.allclose(normal.model_from_world, everything.model_from_world)


def test_a_single_view_becomes_the_identity_at_scale_one() -> None:
    camera = capture(1)
    normal = PoseNormalisation.from_mean_camera(camera)
    assert normal.scale == pytest.approx(1, abs=1e-14)
    torch.testing.assert_close(
        normal.apply(camera).world_from_camera[0],
        torch.eye(4, dtype=torch.float64),
        rtol=0,
        atol=1e-14,
    )


def test_object_framing_recovers_an_orbit_of_any_scale() -> None:
    truth = orbit(
        12, radius=2.7, elevation_radians=0.4, hfov_radians=0.8, height=8, width=8
    ).to(dtype=torch.float64)
    normal = PoseNormalisation.from_object(moved(truth, TWIST, 123.0))
    found = normal.apply(moved(truth, TWIST, 123.0)).check()
    torch.testing.assert_close(
        found.center.norm(dim=-1), torch.full((12,), 2.7).double(), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        found.center[:, 2], truth.center[:, 2], rtol=0, atol=1e-5
    )
    assert float(look_at_point(found).norm()) < 1e-5
    assert normal.kind == "object"


def test_object_framing_takes_up_axis_and_radius() -> None:
    camera = capture()
    normal = PoseNormalisation.from_object(
        camera, [0, 2, 3], up=(0.0, -2.0, 0.0), radius=1.5
    )
    turned = normal.model_from_world[:3, :3] @ torch.tensor([0.0, -1.0, 0.0]).double()
    torch.testing.assert_close(
        turned / normal.scale, torch.tensor([0.0, 0, 1]).double()
    )
    distance = normal.apply(camera[[0, 2, 3]]).center.norm(dim=-1)
    assert float(distance.median()) == pytest.approx(1.5, abs=1e-12)
    assert normal.views == (0, 2, 3)


def test_object_framing_of_a_real_turntable_changes_nothing(shared: Path) -> None:
    text = (shared / "data/gso_character/opencv_cameras.json").read_text()
    listing = json.loads(text)
    frames = listing if isinstance(listing, list) else listing["frames"]
    camera = Camera(
        world_from_camera=torch.linalg.inv(torch.tensor([f["w2c"] for f in frames])),
        intrinsics=torch.tensor(
            [[f[k] for k in ("fx", "fy", "cx", "cy")] for f in frames]
        ),
        height=512,
        width=512,
    )
    normal = PoseNormalisation.from_object(camera)
    torch.testing.assert_close(
        normal.model_from_world, torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-5
    )


def test_all_views_in_one_place_are_refused() -> None:
    camera = capture()
    camera.world_from_camera[:, :3, 3] = torch.tensor([10.0, 20.0, 30.0])
    for build in (PoseNormalisation.from_mean_camera, PoseNormalisation.from_object):
        with pytest.raises(CameraError, match="all 6 views are in one place"):
            build(camera)


def test_up_axis_that_cancels_out_is_refused() -> None:
    camera = Camera.look_at(
        torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]], dtype=torch.float64),
        torch.zeros(1, 3, dtype=torch.float64),
        up=torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], dtype=torch.float64),
        hfov_radians=1.0,
        height=8,
        width=8,
    )
    with pytest.raises(CameraError, match=r"no up axis in common.*explicitly"):
        PoseNormalisation.from_object(camera)
    PoseNormalisation.from_object(camera, up=(0.0, 0.0, 1.0))
    with pytest.raises(CameraError, match="up axis of object framing"):
        PoseNormalisation.from_object(camera, up=(0.0, math.nan, 1.0))


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, math.inf])
def test_radius_must_be_positive(radius: float) -> None:
    with pytest.raises(CameraError, match=f"radius is {radius}"):
        PoseNormalisation.from_object(capture(), radius=radius)


@pytest.mark.parametrize(
    ("views", "message"),
    [([], "no views"), ([0, 6], "view 6 is .* 6 views.*0 to 5"), ([-1], "view -1")],
)
def test_views_must_exist(views: list[int], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        PoseNormalisation.from_mean_camera(capture(), views=views)


def test_json_keeps_every_bit() -> None:
    normal = PoseNormalisation.from_mean_camera(capture(), views=[0, 3, 5])
    again = PoseNormalisation.from_json(json.loads(json.dumps(normal.to_json())))
    assert again.kind == normal.kind
    assert again.views == normal.views
    assert torch.equal(again.model_from_world, normal.model_from_world)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kind", "scene", "kind is 'scene'.*none, mean_camera, object"),
        ("views", [0.5], r"views is \[0.5\].*whole numbers"),
        ("views", "all", "views is 'all'"),
        ("model_from_world", [[1.0]], "holds 1×1 numbers.*4×4 finite numbers"),
        ("model_from_world", [[math.nan] * 4] * 4, "4×4 finite numbers"),
        ("model_from_world", [[0.0] * 4] * 3 + [[0, 0, 0, 1]], "not a rotation times"),
        ("model_from_world", [[1, 0, 0, 0]] * 4, "has the last row"),
        (
            "model_from_world",
            [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]],
            "not a rotation times one positive scale",
        ),
    ],
)
def test_json_names_the_bad_key(key: str, value: object, message: str) -> None:
    data = PoseNormalisation.none().to_json()
    with pytest.raises(CameraError, match=message):
        PoseNormalisation.from_json(data | {key: value})
    del data[key]
    with pytest.raises(CameraError, match=f"{key} is missing"):
        PoseNormalisation.from_json(data)


def test_dtype_of_the_cameras_is_kept() -> None:
    camera = capture().to(dtype=torch.float32)
    normal = PoseNormalisation.from_mean_camera(camera)
    assert normal.model_from_world.dtype == torch.float64
    assert normal.apply(camera).world_from_camera.dtype == torch.float32
