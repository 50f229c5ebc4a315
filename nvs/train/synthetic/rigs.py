"""Cameras around objects, and hand-held ones in rooms and yards; z up.

Views of a rig follow the golden ratio: any first few of them span it and any others lie
between them.

Notation:
    moment      place of a view along the path of a hand, in [0, 1)
    wave        sines of the moment, one for each way in which a hand strays
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import direction_of
from nvs.cameras.se3 import rigid, so3_looking
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.places import MAX_SIDEWAYS, RING, WALK, Place, wall_frames

BENCHMARK_RADIUS, BENCHMARK_HFOV_DEGREES = 2.7, 50.0
RADIUS_RANGE = (2.0, 3.4)
ORBIT_HFOV_RANGE_DEGREES = (35.0, 60.0)
ELEVATION_RANGE_DEGREES = (-20.0, 80.0)
BENCHMARK_ELEVATION_RANGE_DEGREES = (0.0, 60.0)
HAND_HFOV_RANGES_DEGREES = ((50.0, 85.0), (35.0, 70.0), (35.0, 70.0))
"""Of cameras that walk, go around a thing, or pass before it."""
HAND_HFOV_RANGE_DEGREES = (
    min(low for low, _ in HAND_HFOV_RANGES_DEGREES),
    max(high for _, high in HAND_HFOV_RANGES_DEGREES),
)
EYE_HEIGHT_RANGE = (1.1, 1.9)
"""Of who walks about."""
LOWEST = 0.6
"""Nothing in the clear floor that is not walked about is as high, but for the thing."""
LARGEST_TURN = 115 * math.pi / 180
"""Cameras go so far to both sides of a thing: the mean camera is still well defined."""
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
_WAVES = 4


def orbit(
    draws: Draws, views: int, *, height: int, width: int
) -> tuple[Float[Tensor, "batch view 4 4"], Float[Tensor, "batch view 4"]]:
    """Cameras around the origin, looking near it; poses and intrinsics.

    Half of the scenes have the benchmark's rig (radius 2.7, field of view 50°,
    elevations of 0 to 60°, no jitter); the others draw all of these from the wider
    ranges, with a look-at point up to 0.1 away and sometimes a little roll. Azimuths
    advance by the golden angle from a random phase, so that any first few views
    surround the object and any others lie between them.
    """
    plain = draws.chance(1, probability=0.5)
    low, high = ORBIT_HFOV_RANGE_DEGREES
    hfov = draws.uniform(1, low=low, high=high)
    hfov = torch.where(plain, BENCHMARK_HFOV_DEGREES, hfov)
    # As near as shows a ball of radius 0.8 whole.
    nearest = 0.8 / (hfov * (math.pi / 360)).sin()
    nearest = nearest.clamp(*RADIUS_RANGE)
    middle = nearest + (RADIUS_RANGE[1] - nearest) * draws.uniform(1)
    phase = draws.uniform(1, high=2 * math.pi)
    sense = torch.where(draws.chance(1, probability=0.5), 1.0, -1.0)
    low, high = ELEVATION_RANGE_DEGREES
    center = draws.uniform(1, low=low, high=high)
    spread = draws.uniform(1, low=2.0, high=high - low)
    rolled = draws.chance(1, probability=0.3)
    each = draws.uniform(views, 8)

    index = torch.arange(views, dtype=torch.float64)
    azimuth = phase + sense * index * _GOLDEN_ANGLE + 0.35 * (each[..., 0] - 0.5)
    elevation = (center + spread * (each[..., 1] - 0.5)).clamp(low, high)
    low, high = BENCHMARK_ELEVATION_RANGE_DEGREES
    elevation = torch.where(plain, low + (high - low) * each[..., 1], elevation)
    elevation = elevation * (math.pi / 180)
    radius = (middle * (0.95 + 0.1 * each[..., 2])).clamp(*RADIUS_RANGE)
    radius = torch.where(plain, BENCHMARK_RADIUS, radius)
    eye = direction_of(azimuth, elevation) * radius[..., None]
    jitter = 0.2 * (each[..., 3:6] - 0.5) * ~plain[..., None]
    roll = 0.3 * (each[..., 6] - 0.5) * (rolled & ~plain)
    return look(eye, jitter - eye, roll), intrinsics_of(hfov, views, height, width)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Hand:
    """How one camera is carried: numbers of the scene, then of each view."""

    share: Float[Tensor, "batch 4 1"]
    """Uniform in [0, 1): what else a rig has to choose."""
    moment: Float[Tensor, "batch view"]
    wave: Float[Tensor, "batch 4 view"]
    each: Float[Tensor, "batch view 4"]
    """Uniform in [−1/2, 1/2): jitter."""


def capture(
    draws: Draws, views: int, place: Place, *, height: int, width: int
) -> tuple[Float[Tensor, "batch view 4 4"], Float[Tensor, "batch view 4"]]:
    """Poses and intrinsics of the rig that each place asks for."""
    low, high = (
        torch.tensor(HAND_HFOV_RANGES_DEGREES).double()[place.rig].log().T[..., None]
    )
    hfov = (low + (high - low) * draws.uniform(1)).exp()
    hand = _draw_hand(draws, views)
    rigs = [_walk(hand, place), _ring(hand, place), _front(hand, place)]
    walks, rings = (
        (place.rig == kind)[:, None, None].expand_as(rigs[0][0])
        for kind in (WALK, RING)
    )
    eye, ahead = (
        torch.where(walks, walk, torch.where(rings, ring, front))
        for walk, ring, front in zip(*rigs, strict=True)
    )
    roll = 0.1 * hand.each[..., 3]
    return look(eye, ahead, roll), intrinsics_of(hfov, views, height, width)


def _draw_hand(draws: Draws, views: int) -> _Hand:
    start = draws.uniform(1)
    turns = draws.uniform(_WAVES, 1, low=0.3, high=1.4)
    phases = draws.uniform(_WAVES, 1)
    share = draws.uniform(4, 1)
    each = draws.uniform(views, 4, low=-0.5, high=0.5)
    moment = (start + torch.arange(views, dtype=torch.float64) * _GOLDEN_RATIO) % 1.0
    wave = (2 * math.pi * (turns * moment[:, None] + phases)).sin()
    return _Hand(share=share, moment=moment, wave=wave, each=each)


def _walk(hand: _Hand, place: Place) -> tuple[Tensor, Tensor]:
    """A winding walk; the gaze sweeps up to 75° to both sides of one direction."""
    plan = hand.wave[:, :2].transpose(1, 2) * place.clear[:, None]
    low, high = EYE_HEIGHT_RANGE
    eyes = low + 0.15 + (high - low - 0.3) * hand.share[:, 0]
    eye = torch.cat([plan, (eyes + 0.3 * hand.each[..., 0])[..., None]], dim=-1)
    sweep = 0.2 + (75 * math.pi / 180 - 0.2) * hand.share[:, 1]
    yaw = 2 * math.pi * hand.share[:, 2] + sweep * hand.wave[:, 2]
    tilt = -0.2 + 0.28 * hand.share[:, 3]
    tilt = tilt + 0.2 * hand.wave[:, 3] + 0.1 * hand.each[..., 1]
    ahead = [yaw.cos() * tilt.cos(), yaw.sin() * tilt.cos(), tilt.sin()]
    return eye, torch.stack(ahead, dim=-1)


def _ring(hand: _Hand, place: Place) -> tuple[Tensor, Tensor]:
    """An arc of 40 to 230 degrees around the thing in the middle, looking at it."""
    distance = _distances(hand, place)
    turn = 0.35 + (LARGEST_TURN - 0.4) * hand.share[:, 1]
    angle = 2 * math.pi * hand.share[:, 2] + turn * (2 * hand.moment - 1)
    angle = angle + 0.1 * hand.each[..., 1]
    around = torch.stack([angle.cos(), angle.sin()], dim=-1)
    plan = place.focus[:, None, :2] + around * distance[..., None]
    height = place.focus[:, 2:] - 0.2 + 1.0 * hand.share[:, 3]
    eye = torch.cat([plan, _raised(height, hand, place)], dim=-1)
    stray = 0.5 * place.scale[:, None, None] * hand.each[..., [1, 2, 0]]
    return eye, place.focus[:, None] + stray - eye


def _front(hand: _Hand, place: Place) -> tuple[Tensor, Tensor]:
    """Sideways before the wall with the thing, facing the wall or the thing."""
    odd = (place.side % 2 == 1)[:, None]
    clear = torch.where(odd, place.clear.flip(-1), place.clear)
    wide = clear[:, :1]
    zero = torch.zeros_like(place.scale)
    frame = wall_frames(place.side, zero, torch.zeros_like(place.size), zero)
    tangent, inward = frame[:, None, :, 0], frame[:, None, :, 1]
    target = (place.focus[:, None] * tangent).sum(-1)
    away = _distances(hand, place)
    reach = (away * (0.3 + 0.8 * hand.share[:, 1])).clamp(max=MAX_SIDEWAYS)
    across = target + reach * (2 * hand.moment - 1) + 0.05 * hand.each[..., 0]
    across = across.maximum(-wide).minimum(wide)
    back = away + (place.focus[:, None] * inward).sum(-1)
    eye = across[..., None] * tangent + back[..., None] * inward
    height = place.focus[:, 2:] - 0.4 + 0.8 * hand.share[:, 3]
    eye = torch.cat([eye[..., :2], _raised(height, hand, place)], dim=-1)
    stray = 0.6 * place.scale[:, None, None] * hand.each[..., [1, 2, 0]]
    at_thing = torch.nn.functional.normalize(place.focus[:, None] + stray - eye, dim=-1)
    drift = torch.stack([0.2 * hand.wave[:, 2], 0.1 * hand.wave[:, 3]], dim=-1)
    up = tangent.new_tensor([0.0, 0.0, 1.0])
    at_wall = drift[..., :1] * tangent - inward + drift[..., 1:] * up
    fixed = hand.share[:, 2, :, None] < 0.4
    return eye, torch.where(fixed, at_wall, at_thing)


def _distances(hand: _Hand, place: Place) -> Float[Tensor, "batch view"]:
    """From the thing, mostly near it, swaying to and fro."""
    nearest, farthest = place.distances[..., None].unbind(1)
    span = farthest.clamp(max=3.0) - nearest
    usual = nearest + span * hand.share[:, 0] ** 1.5
    distance = usual * (1 + 0.25 * hand.wave[:, 0] + 0.05 * hand.each[..., 0])
    return distance.maximum(nearest).minimum(farthest)


def _raised(
    height: Float[Tensor, "batch 1"], hand: _Hand, place: Place
) -> Float[Tensor, "batch view 1"]:
    """Heights about a usual one, off the floor and off the ceiling."""
    height = height + 0.35 * hand.wave[:, 1] + 0.06 * hand.each[..., 2]
    ceiling = torch.where(place.outdoors, 2.3, place.size[:, 2] - 0.45)
    return height.clamp_min(LOWEST).minimum(ceiling[:, None])[..., None]


def look(
    eye: Float[Tensor, "batch view 3"],
    forward: Float[Tensor, "batch view 3"],
    roll_radians: Float[Tensor, "batch view"],
) -> Float[Tensor, "batch view 4 4"]:
    """Poses of cameras with z up, turned about their own axis by a roll."""
    x, y, z = so3_looking(forward, forward.new_tensor([0.0, 0.0, 1.0])).unbind(-1)
    cosine, sine = roll_radians.cos()[..., None], roll_radians.sin()[..., None]
    turned = [cosine * x + sine * y, cosine * y - sine * x, z]
    return rigid(torch.stack(turned, dim=-1), eye)


def intrinsics_of(
    hfov_degrees: Float[Tensor, "batch 1"], views: int, height: int, width: int
) -> Float[Tensor, "batch view 4"]:
    """fx, fy, cx, cy of square pixels and a centred axis, the same for all views."""
    focal_px = width / (2 * (hfov_degrees * (math.pi / 360)).tan())
    center = focal_px.new_tensor([width / 2, height / 2]).expand(len(focal_px), 2)
    values = torch.cat([focal_px, focal_px, center], dim=-1)
    return values[:, None].repeat(1, views, 1)
