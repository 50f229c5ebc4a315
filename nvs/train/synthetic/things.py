"""What a place holds beside furniture: the thing that matters, small things, lamps.

The thing that matters is a random object, standing or hung on a wall. Small things are
boxes, books, cans, balls and pots on furniture and on the floor. Pictures and panes
hang on the walls, lamps stand there or hang from the ceiling.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.train.synthetic import materials, shapes
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.materials import draw_surfaces, fitted, shining
from nvs.train.synthetic.objects import draw_objects
from nvs.train.synthetic.places import RING, WALK, Place, against_walls, stratified
from nvs.train.synthetic.shading import draw_sky
from nvs.train.synthetic.solids import (
    Group,
    Parts,
    about_z,
    compose,
    join,
    upright,
    vector,
)

NUM_ON_FLOOR, NUM_PICTURES = 8, 8
MAX_HEIGHT = 0.3
"""Of what lies on the floor."""
_FORMS = torch.tensor(
    [[0.10, 0.08, 0.08], [0.09, 0.12, 0.025], [0.04, 0.04, 0.08], [0.08, 0.08, 0.08]],
    dtype=torch.float64,
)
"""Half-extents of a box, a book, a can and a ball in metres, before they vary."""
_KINDS = torch.tensor([shapes.BOX, shapes.BOX, shapes.FRUSTUM, shapes.ELLIPSOID])
_ON_FLOOR, _ON_GROUND = 1.5, 2.2
"""How much larger things are there."""
_WALK_SHARE = 0.4
_PANE_SHARE = 0.15


def draw_centrepiece(draws: Draws, place: Place) -> Group:
    """An object, and a stand below it where it has one.

    Where cameras walk about it is there in two scenes of five.
    """
    scene = draw_objects(draws)
    scale = place.scale
    standing = (place.rig == RING) | place.outdoors
    bottom = place.stand - _lowest(scene.solids.body) * scale
    height = torch.where(standing, bottom, place.focus[:, 2])
    frame = upright(
        scale[:, None].expand(-1, 3), vector(*place.focus[:, :2].unbind(-1), height)
    )
    # Cycles per metre rather than per unit of the object.
    frequency = scene.textures.frequency / scale[:, None].float()
    surfaces = replace(scene.textures, frequency=frequency)
    thing = Group(solids=scene.solids, textures=surfaces).moved(frame)
    present = draws.chance(probability=_WALK_SHARE) | (place.rig != WALK)
    return join([thing.only(present[:, None]), _draw_stand(draws, place)])


def _draw_stand(draws: Draws, place: Place) -> Group:
    width = draws.uniform(low=0.55, high=0.95) * place.scale
    high = place.stand.clamp_min(0.01) / 2
    half = vector(width, width, high)[:, None]
    center = vector(*place.focus[:, :2].unbind(-1), high)[:, None]
    kind = torch.tensor([shapes.BOX, shapes.FRUSTUM])[draws.integer(1, count=2)]
    ratio = draws.uniform(1, low=0.7, high=1.0)
    surfaces = draw_surfaces(draws, half, materials.FURNITURE)
    group = Group.place(kind, ratio, upright(half, center), surfaces)
    return group.only(place.stand[:, None] > 0)


def _lowest(body: Parts) -> Float[Tensor, "scene"]:
    """Height of the lowest point of each scene's parts, or a little less."""
    row = body.world_from_local[..., 2, :3].double() * body.half_extent
    oval = body.kind == shapes.ELLIPSOID
    extent = torch.where(oval, row.norm(dim=-1), row.abs().sum(-1))
    low = body.center[..., 2] - extent
    return low.masked_fill(body.kind == shapes.NONE, torch.inf).amin(-1)


def draw_clutter(
    draws: Draws,
    place: Place,
    frame: Float[Tensor, "batch level 3 4"],
    top: Float[Tensor, "batch level 2 3"],
    usable: Bool[Tensor, "batch level"],
) -> Group:
    """Two things on each level, most levels having some, and others on the floor.

    Args:
        draws: Random numbers.
        place: The rooms.
        frame: Of each piece of furniture.
        top: Middle and half-extent of a level on top of each piece, in its frame.
        usable: Which pieces are there.
    """
    levels = frame.shape[1]
    count = 2 * levels + NUM_ON_FLOOR
    form = draws.choice(count, weights=[0.28, 0.24, 0.28, 0.2])
    half = _FORMS[form] * draws.uniform(count, 1, low=0.6, high=1.5)
    half = half * draws.uniform(count, 3, low=0.75, high=1.3)
    larger = torch.where(place.outdoors, _ON_GROUND, _ON_FLOOR)
    half[:, 2 * levels :] *= larger[:, None, None]
    half[..., 2] = half[..., 2].clamp(max=MAX_HEIGHT / 2)
    level = torch.arange(levels).repeat_interleave(2)
    middle, span = top[:, level].unbind(-2)
    # What is wider than its level is not put there.
    fits = (half[:, : 2 * levels, :2] < span[..., :2]).all(-1) & usable[:, level]
    spot = draws.uniform(count, 2, low=-1.0, high=1.0)
    around = draws.uniform(count, high=2 * math.pi)
    upon, beside = spot.split([2 * levels, NUM_ON_FLOOR], dim=1)
    upon = middle[..., :2] + 0.9 * upon * (span - half[:, : 2 * levels])[..., :2]
    beside = 0.47 * beside * place.size[:, None, :2]
    height = torch.cat([middle[..., 2], torch.zeros_like(beside[..., 0])], dim=1)
    center = torch.cat([upon, beside], dim=1)
    center = torch.cat([center, (height + half[..., 2])[..., None]], dim=-1)
    linear = about_z(around) * half[..., None, :]
    affine = torch.cat([linear, center[..., None]], dim=-1)
    on_level = compose(frame[:, level], affine[:, : 2 * levels])
    affine = torch.cat([on_level, affine[:, 2 * levels :]], dim=1)

    ratio = torch.where(
        draws.chance(count, probability=0.6), 1.0, draws.uniform(count, low=0.3)
    )
    surfaces = draw_surfaces(draws, half, materials.CLUTTER)
    whole = draws.chance(count, probability=0.6)
    present = draws.chance(count, probability=0.6)
    present[:, : 2 * levels] &= fits
    group = Group.place(_KINDS[form], ratio, affine, fitted(surfaces, half, whole))
    return group.only(present)


def draw_fittings(draws: Draws, place: Place) -> Group:
    """Pictures and bright panes on the walls, a standing and a ceiling lamp."""
    pictures = _draw_pictures(draws, place)
    return join([pictures, _draw_lamps(draws, place)])


def _draw_pictures(draws: Draws, place: Place) -> Group:
    """Thin upright boxes at the height of the eyes; indoors some are windows' panes."""
    pane = draws.chance(NUM_PICTURES, probability=_PANE_SHARE)
    pane = pane & ~place.outdoors[:, None]
    half = draws.uniform(NUM_PICTURES, 3, low=0.12, high=0.5)
    half = torch.where(pane[..., None], 1.5 * half, half)
    half[..., 1] = 0.02
    frame = against_walls(
        stratified(draws, NUM_PICTURES), place.enclosure, half[..., 1]
    )
    height = draws.uniform(NUM_PICTURES, low=0.35, high=0.75) * place.enclosure[:, 2:]
    affine = compose(frame, upright(half, vector(0.0, 0.0, height)))
    surfaces = draw_surfaces(draws, half, materials.CLUTTER)
    whole = draws.chance(NUM_PICTURES, probability=0.7)
    surfaces = fitted(surfaces, half, whole)
    surfaces = shining(surfaces, pane, draw_sky(draws, NUM_PICTURES) * 1.1, upward=True)
    kind = torch.full(half.shape[:2], shapes.BOX)
    return Group.place(kind, torch.ones(half.shape[:2]), affine, surfaces)


def _draw_lamps(draws: Draws, place: Place) -> Group:
    """Stem and shade at a wall, and a flat lamp below the ceiling."""
    stem = draws.uniform(1, low=0.9, high=1.4)
    wide, flat = draws.uniform(2, low=0.12, high=0.24).split(1, dim=1)
    around = draws.uniform(1)
    at_wall = against_walls(around, place.size, torch.full_like(around, 0.27))
    shade = 0.7 * wide
    standing = torch.cat(
        [
            upright(vector(0.02, 0.02, stem / 2), vector(0.0, 0.0, stem / 2)),
            upright(vector(wide, wide, shade), vector(0.0, 0.0, stem + shade)),
        ],
        dim=1,
    )
    shift = draws.uniform(2, 1, low=-0.25, high=0.25) * place.size[:, :2, None]
    below = vector(*shift.unbind(1), place.size[:, 2:] - 0.05)
    hanging = upright(vector(flat, flat, 0.05), below)
    affine = torch.cat([compose(at_wall.expand(-1, 2, -1, -1), standing), hanging], 1)
    kind = torch.full((draws.batch, 3), shapes.FRUSTUM)
    round_ = draws.chance(1, probability=0.5)
    kind[:, 2:] = torch.where(round_, shapes.ELLIPSOID, shapes.BOX)
    ratio = torch.ones(draws.batch, 3, dtype=torch.float64)
    ratio[:, 1:2] = draws.uniform(1, low=0.4, high=1.0)
    size = affine[..., :3].norm(dim=-2)
    surfaces = draw_surfaces(draws, size, materials.CLUTTER)
    warm = torch.tensor([1.0, 0.9, 0.72], dtype=torch.float64)
    glow = draws.uniform(3, 2, 1, low=1.1, high=1.6) * warm
    lit = torch.tensor([False, True, True]).expand(draws.batch, 3)
    present = draws.chance(2, probability=0.5)[:, [0, 0, 1]]
    group = Group.place(kind, ratio, affine, shining(surfaces, lit, glow))
    return group.only(present & ~place.outdoors[:, None])
