"""Where cameras stand, what they attend to, how views spread."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nvs.train.synthetic import rigs
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.places import FRONT, RING, WALK, Place, draw_places

NUM_SCENES, NUM_VIEWS = 400, 12
SIZE = {"height": 64, "width": 96}


def test_orbits_keep_to_their_ranges_and_favour_the_benchmark() -> None:
    poses, intrinsics = rigs.orbit(Draws(0, 400, stream=0), 12, height=64, width=64)
    center = poses[..., :3, 3]
    radius = center.norm(dim=-1)
    elevation = (center[..., 2] / radius).asin() * (180 / math.pi)
    hfov = 2 * (32 / intrinsics[..., 0]).atan() * (180 / math.pi)
    for value, (low, high) in (
        (radius, rigs.RADIUS_RANGE),
        (elevation, rigs.ELEVATION_RANGE_DEGREES),
        (hfov, rigs.ORBIT_HFOV_RANGE_DEGREES),
    ):
        assert low - 1e-6 <= value.min()
        assert value.max() <= high + 1e-6
        assert value.max() - value.min() > 0.9 * (high - low)
    plain = ((radius - rigs.BENCHMARK_RADIUS).abs() < 1e-9).all(-1)
    assert 0.4 < plain.double().mean() < 0.6
    assert (hfov[plain] - rigs.BENCHMARK_HFOV_DEGREES).abs().max() < 1e-6
    assert elevation[plain].min() >= 0
    assert elevation[plain].max() <= 60
    forward = poses[..., :3, 2]
    missed = torch.linalg.cross(forward, center).norm(dim=-1)
    assert missed.max() < 0.18
    assert missed[plain].max() < 1e-9


def test_first_views_surround_the_object() -> None:
    poses, _ = rigs.orbit(Draws(1, 100, stream=0), 8, height=64, width=64)
    azimuth = torch.atan2(poses[..., 1, 3], poses[..., 0, 3]).sort(dim=-1).values
    around = torch.cat([azimuth, azimuth[:, :1] + 2 * math.pi], dim=-1)
    assert around.diff(dim=-1).max() < math.pi / 2


def taken(views: int = NUM_VIEWS) -> tuple[Place, Tensor, Tensor]:
    place = draw_places(Draws(0, NUM_SCENES, stream=0))
    rig = Draws(0, NUM_SCENES, stream=1)
    return place, *rigs.capture(rig, views, place, **SIZE)


def test_every_rig_is_used_indoors_and_outdoors() -> None:
    place = draw_places(Draws(0, NUM_SCENES, stream=0))
    for kind in (WALK, RING, FRONT):
        share = place.outdoors[place.rig == kind].double()
        assert len(share) > NUM_SCENES / 5
        assert 0.2 < share.mean() < 0.5


def test_cameras_keep_to_the_room_and_to_their_height() -> None:
    place, poses, _ = taken()
    center = poses[..., :3, 3]
    inside = center[..., :2].abs() <= place.size[:, None, :2] / 2 - 0.5
    assert inside.all()
    walks = place.rig == WALK
    share = (center[..., :2].abs() / place.clear[:, None])[walks].amax()
    assert 0.95 < share <= 1 + 1e-9
    low, high = rigs.EYE_HEIGHT_RANGE
    assert low <= center[walks][..., 2].min() < center[walks][..., 2].max() <= high
    assert center[..., 2].min() >= rigs.LOWEST
    below = place.size[:, None, 2] - center[..., 2]
    assert below[~place.outdoors].min() > 0.4


def test_cameras_keep_off_the_thing_they_attend_to() -> None:
    place, poses, _ = taken()
    offset = poses[..., :3, 3] - place.focus[:, None]
    away = offset[..., :2].norm(dim=-1) - math.sqrt(2) * place.scale[:, None]
    attended = place.rig != WALK
    assert away[attended].min() > 0.35
    assert away[attended].max() < 4
    nearest, farthest = place.distances[attended].unbind(-1)
    assert (nearest <= farthest).all()


@pytest.mark.parametrize("kind", [RING, FRONT])
def test_cameras_that_attend_to_the_thing_look_at_it(kind: int) -> None:
    place, poses, _ = taken()
    toward = place.focus[:, None] - poses[..., :3, 3]
    cosine = (poses[..., :3, 2] * toward).sum(-1) / toward.norm(dim=-1)
    angle = cosine[place.rig == kind].acos() * (180 / math.pi)
    assert angle.quantile(0.9) < (20 if kind == RING else 60)


def test_fields_of_view_are_those_of_phones_held_either_way() -> None:
    place, _, intrinsics = taken()
    hfov = 2 * (48 / intrinsics[:, 0, 0]).atan() * (180 / math.pi)
    for kind, (low, high) in enumerate(rigs.HAND_HFOV_RANGES_DEGREES):
        some = hfov[place.rig == kind]
        assert low <= some.min() < low + 3
        assert high - 5 < some.max() <= high


def test_the_mean_camera_is_well_defined() -> None:
    _, poses, _ = taken()
    forward = poses[..., :3, 2].mean(1)
    down = poses[..., :3, 1].mean(1)
    assert forward.norm(dim=-1).min() > 0.1
    forward = torch.nn.functional.normalize(forward, dim=-1)
    across = down - (down * forward).sum(-1, keepdim=True) * forward
    assert across.norm(dim=-1).min() > 0.3
    assert poses[..., 2, 1].max() < -0.3


def test_later_views_lie_between_the_first() -> None:
    place, poses, _ = taken()
    center = poses[place.rig != WALK][..., :3, 3]
    gap = (center[:, 6:, None] - center[:, None, :6]).norm(dim=-1).amin(-1)
    span = (center[:, :, None] - center[:, None]).norm(dim=-1).amax((1, 2))
    assert (gap / span[:, None]).quantile(0.95) < 0.35


def test_more_views_of_a_hand_extend_fewer() -> None:
    _, few, _ = taken(3)
    _, many, _ = taken(NUM_VIEWS)
    torch.testing.assert_close(few, many[:, :3])
