"""Random rooms and yards: what encloses them, and what is seen beyond.

A room may have a window through which the sky shows, with trees, bushes and houses
before it; around a yard they stand everywhere.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.train.synthetic import materials, shapes
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.furniture import draw_furnishing
from nvs.train.synthetic.materials import choose, draw_surfaces
from nvs.train.synthetic.places import Place, draw_places, stratified
from nvs.train.synthetic.render import SceneBatch
from nvs.train.synthetic.shading import draw_light, draw_sky
from nvs.train.synthetic.solids import (
    Group,
    Parts,
    Solids,
    compose,
    join,
    upright,
    vector,
)
from nvs.train.synthetic.textures import Textures
from nvs.train.synthetic.things import draw_centrepiece, draw_fittings

WINDOW_SHARE = 0.6
"""Of the rooms."""
NUM_STANDING = 6
TREE, BUSH, HOUSE = range(3)
_FACES = 6
_THROUGH = 1.1
_BEFORE_WINDOW = 3
_CLEARANCE = 0.5


def draw_rooms(draws: Draws) -> tuple[SceneBatch, Place]:
    """One room or yard a scene, floor at z = 0, in metres."""
    place = draw_places(draws)
    faces = _draw_faces(draws, place)
    wall = faces.take(torch.full((draws.batch, 1), 3))
    windows, open_side = _draw_windows(draws, place, wall)
    things = join(
        [
            draw_furnishing(draws, place),
            draw_fittings(draws, place),
            draw_centrepiece(draws, place),
            _draw_backdrop(draws, place, open_side),
            windows,
            _shell(place, open_side, faces),
        ]
    )
    # Indoors the lamp is a little above or below the ceiling, outdoors it is the sun.
    distance = place.size[:, 2] * draws.uniform(low=0.6, high=1.3)
    nearness = torch.where(place.outdoors, 0.0, 1 / distance)
    horizon, zenith = draw_sky(draws).unbind(1)
    light = draw_light(draws, horizon, zenith, nearness)
    scenes = SceneBatch(solids=things.solids, textures=things.textures, light=light)
    return scenes, place


def _shell(place: Place, open_side: Tensor, faces: Textures) -> Group:
    """What encloses the place: open to the sky, to the window's side, or closed."""
    size = place.enclosure
    middle = size * size.new_tensor([0.0, 0.0, 0.5])
    ratio = torch.where(place.outdoors, 1.0, torch.where(open_side, 2.0, 0.0))
    kind = torch.full((len(size), 1), shapes.SHELL)
    affine = upright(size / 2, middle)[:, None]
    return Group.place(kind, ratio[:, None], affine, faces)


def _draw_faces(draws: Draws, place: Place) -> Textures:
    """Floor, ceiling and walls, the walls mostly alike."""
    lengths = (place.enclosure / 2)[:, None].expand(-1, _FACES, -1)
    floor, ground = (
        draw_surfaces(draws, lengths[:, :1], style)
        for style in (materials.FLOOR, materials.GROUND)
    )
    walls, far = (
        draw_surfaces(draws, lengths[:, 1:], style)
        for style in (materials.WALL, materials.ENCLOSURE)
    )
    outside = place.outdoors[:, None]
    faces = join([choose(outside, ground, floor), choose(outside, far, walls)])
    alike = draws.chance(1, probability=0.7)
    face = torch.arange(_FACES)
    return faces.take(torch.where(alike, face.clamp(max=2), face))


def _draw_windows(
    draws: Draws, place: Place, wall: Textures
) -> tuple[Group, Bool[Tensor, "batch"]]:
    """The wall where x is largest, an opening in it and two bars across the opening.

    Args:
        draws: Random numbers.
        place: The rooms.
        wall: What that wall of each room wears, in one slot.

    Returns:
        Three parts, and which rooms have them.
    """
    present = draws.chance(probability=WINDOW_SHARE) & ~place.outdoors
    thick = draws.uniform(low=0.06, high=0.2)
    length, width, height = (place.size / 2).unbind(-1)
    outer = upright(vector(thick, width, height), vector(length + thick, 0.0, height))[
        :, None
    ]
    opening = compose(outer, _draw_opening(draws))
    ones = torch.ones(draws.batch, 1)
    box = torch.full((draws.batch, 1), shapes.BOX)
    body, cut = Parts.place(box, ones, outer), Parts.place(box, ones, opening)
    group = Group(solids=Solids(body=body, cut=cut), textures=wall)
    bars = _draw_bars(draws, opening[:, 0])
    surfaces = draw_surfaces(draws, bars[..., :3].norm(dim=-2), materials.FURNITURE)
    frame = Group.place(box.expand(-1, 2), ones.expand(-1, 2), bars, surfaces)
    barred = present[:, None] & draws.chance(2, probability=0.6)
    return join([group.only(present[:, None]), frame.only(barred)]), present


def _draw_opening(draws: Draws) -> Float[Tensor, "batch 1 3 4"]:
    """The box to cut out, in the frame of the wall; one to the floor is a door."""
    wide = draws.uniform(low=0.25, high=0.75)
    shift = draws.uniform(low=-0.9, high=0.9) * (1 - wide)
    sill = draws.uniform(low=-0.1, high=0.5).clamp_min(0.003)
    high = (0.94 - sill) * draws.uniform(low=0.6, high=1.0)
    center = vector(0.0, shift, 2 * sill - 1 + high)
    return upright(vector(_THROUGH, wide, high), center)[:, None]


def _draw_bars(
    draws: Draws, opening: Float[Tensor, "batch 3 4"]
) -> Float[Tensor, "batch 2 3 4"]:
    """An upright and a level bar across an opening."""
    wide, high = opening[:, 1, 1], opening[:, 2, 2]
    slim = draws.uniform(low=0.015, high=0.04)
    across, up = (draws.uniform(2, low=-0.4, high=0.4)).unbind(1)
    half = torch.stack([vector(slim, slim, high), vector(slim, wide, slim)], dim=1)
    off = torch.stack([vector(0.0, across * wide, 0.0), vector(0.0, 0.0, up * high)], 1)
    return upright(half, opening[:, None, :, 3] + off)


def _draw_backdrop(draws: Draws, place: Place, window: Bool[Tensor, "batch"]) -> Group:
    """What stands beyond where the cameras go, two parts each.

    A tree has a trunk and a crown, a bush is two balls, a house has a flat roof.
    """
    form = draws.choice(NUM_STANDING, weights=[0.5, 0.25, 0.25])
    size = draws.uniform(NUM_STANDING, 4)
    crown = 0.6 + 1.4 * size[..., 0]
    tall = 0.8 + 2.2 * size[..., 1]
    low = 0.6 * crown
    wide, storey = 1.4 + 1.6 * size[..., 0], 1.2 + 2.0 * size[..., 1]
    parts = (
        (0.04 + 0.1 * size[..., 2], tall / 2, tall / 2),
        (crown, crown * (0.7 + size[..., 3]), tall + 0.6 * crown),
        (low, 0.8 * low, 0.5 * low),
        (0.6 * low, 0.7 * low, 1.2 * low),
        (wide, storey, storey),
        (1.08 * wide, 0.12 + 0.3 * size[..., 2], 2 * storey),
    )
    tree, bush, house = torch.stack(
        [upright(vector(r, r, high), vector(0.0, 0.0, z)) for r, high, z in parts],
        dim=-3,
    ).split(2, dim=-3)
    house[..., 1, :] *= 0.6 + 0.4 * size[..., None, 3, None]
    chosen = form[..., None, None, None]
    affine = torch.where(chosen == TREE, tree, bush)
    affine = torch.where(chosen == HOUSE, house, affine)
    reach = torch.where(form == HOUSE, math.sqrt(2) * 1.08 * wide, 1.2 * crown)
    affine[..., 3] += _spots(draws, place, reach)[:, :, None]
    affine = affine.flatten(1, 2)

    kinds = torch.tensor(
        [
            [shapes.FRUSTUM, shapes.ELLIPSOID],
            [shapes.ELLIPSOID, shapes.ELLIPSOID],
            [shapes.BOX, shapes.BOX],
        ]
    )
    ratio = torch.full((draws.batch, 2 * NUM_STANDING), 0.7)
    extent = affine[..., :3].norm(dim=-2)
    leaves, walls = (
        draw_surfaces(draws, extent, style)
        for style in (materials.FOLIAGE, materials.ENCLOSURE)
    )
    built = (form == HOUSE).repeat_interleave(2, dim=1)
    surfaces = choose(built, walls, leaves)
    some = draws.chance(NUM_STANDING, probability=0.8)
    index = torch.arange(NUM_STANDING)
    seen = place.outdoors[:, None] | (window[:, None] & (index < _BEFORE_WINDOW))
    group = Group.place(kinds[form].flatten(1), ratio, affine, surfaces)
    return group.only((some & seen).repeat_interleave(2, dim=1))


def _spots(draws: Draws, place: Place, reach: Tensor) -> Tensor:
    """Feet around the yard or beyond the window, farther than each one reaches."""
    angle = 2 * math.pi * stratified(draws, NUM_STANDING)
    away = draws.uniform(NUM_STANDING) ** 2
    room = place.enclosure[:, :2].amax(-1, keepdim=True) / 2 + 2.0
    distance = place.clear.norm(dim=-1)[:, None] + _CLEARANCE + reach + away * room
    yard = vector(angle.cos() * distance, angle.sin() * distance, 0.0)
    ahead = place.size[:, :1] / 2 + 0.5 + reach + 8 * away
    beside = draws.uniform(NUM_STANDING, low=-1.0, high=1.0) * ahead
    below = draws.uniform(1, low=-2.5, high=0.0)
    outside = vector(ahead, beside, below)
    return torch.where(place.outdoors[:, None, None], yard, outside)
