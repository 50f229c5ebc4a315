"""Random rooms and yards: an enclosure, furniture, clutter and a thing to look at."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool
from torch import Tensor

from nvs.train.synthetic import furniture, shapes, styles
from nvs.train.synthetic.backdrop import draw_backdrop
from nvs.train.synthetic.centrepiece import draw_centrepiece
from nvs.train.synthetic.clutter import draw_clutter
from nvs.train.synthetic.draws import Draws, rotation_about
from nvs.train.synthetic.fittings import draw_fittings, draw_sky
from nvs.train.synthetic.groups import Group, concatenate, join
from nvs.train.synthetic.materials import draw_light
from nvs.train.synthetic.places import (
    FREE_SHARE,
    FRONT,
    MAX_SIDEWAYS,
    WALK,
    Place,
    against_walls,
    draw_places,
    stratified,
)
from nvs.train.synthetic.render import SceneBatch
from nvs.train.synthetic.solids import Parts, Solids, compose
from nvs.train.synthetic.styles import choose, draw_surfaces, fitted
from nvs.train.synthetic.textures import Textures
from nvs.train.synthetic.windows import draw_windows

NUM_PIECES = 7
LOW_HEIGHT = 0.75
"""How high what stands in the middle may be where cameras walk: below all of them."""
MAX_DEPTH = 0.45
"""Half the depth of a piece of furniture, at most."""
_FACES = 6
_PIECE_SHARE_OUTDOORS = 0.5


def draw_rooms(draws: Draws, *, photographs: bool) -> tuple[SceneBatch, Place]:
    """One room or yard a scene, floor at z = 0, in metres."""
    place = draw_places(draws)
    faces = _draw_faces(draws, place, photographs)
    wall = faces.take(torch.full((draws.batch, 1), 3))
    windows, open_side = draw_windows(draws, place, wall, photographs=photographs)
    things = join(
        [
            *_draw_furniture(draws, place, photographs),
            draw_fittings(draws, place, photographs=photographs),
            draw_centrepiece(draws, place, photographs=photographs),
            draw_backdrop(draws, place, open_side, photographs=photographs),
            windows,
            _shell(place, open_side, faces),
        ]
    )
    sky = draw_sky(draws)
    light = draw_light(draws, *sky.unbind(1))
    return (
        SceneBatch(solids=things.solids, textures=things.textures, light=light),
        place,
    )


def _shell(place: Place, open_side: Tensor, faces: Textures) -> Group:
    """What encloses the place: open to the sky, to the window's side, or closed."""
    size = place.enclosure
    middle = size * size.new_tensor([0.0, 0.0, 0.5])
    affine = torch.cat([torch.diag_embed(size / 2), middle[..., None]], -1)[:, None]
    ratio = torch.where(place.outdoors, 1.0, torch.where(open_side, 2.0, 0.0))
    kind = torch.full((len(size), 1), shapes.SHELL)
    return Group.place(kind, ratio[:, None], affine, faces)


def _draw_faces(draws: Draws, place: Place, photographs: bool) -> Textures:
    """Floor, ceiling and walls, the walls mostly alike."""
    lengths = (place.enclosure / 2)[:, None].expand(-1, _FACES, -1)
    floor, ground = (
        draw_surfaces(draws, lengths[:, :1], style, photographs=photographs)
        for style in (styles.FLOOR, styles.GROUND)
    )
    walls, far = (
        draw_surfaces(draws, lengths[:, 1:], style, photographs=photographs)
        for style in (styles.WALL, styles.ENCLOSURE)
    )
    outside = place.outdoors[:, None]
    faces = concatenate([choose(outside, ground, floor), choose(outside, far, walls)])
    alike = draws.chance(1, probability=0.7)
    face = torch.arange(_FACES)
    return faces.take(torch.where(alike, face.clamp(max=2), face))


def _draw_furniture(draws: Draws, place: Place, photographs: bool) -> list[Group]:
    """Pieces along the walls, one in the middle to walk around, and what is on them."""
    size = place.size
    reach = (1 - FREE_SHARE) / 4 * size[:, :2].amin(-1, keepdim=True)
    depth = reach * draws.uniform(NUM_PIECES, low=0.5, high=0.9)
    depth = depth.clamp(max=MAX_DEPTH)
    width = depth * draws.uniform(NUM_PIECES, low=0.8, high=2.6)
    height = draws.uniform(NUM_PIECES, low=0.4, high=2.1)
    height = torch.minimum(
        height, torch.where(place.outdoors, 1.6, 0.85 * size[:, 2])[:, None]
    )
    height[:, 0] = height[:, 0].clamp(max=LOW_HEIGHT)
    piece = furniture.draw_pieces(draws, width, depth, height)
    frame = against_walls(stratified(draws, NUM_PIECES), size, depth)
    # The first piece stands in the middle, turned anyhow.
    yaw = draws.uniform(high=2 * math.pi)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    shift = draws.uniform(3, low=-0.15, high=0.15) * size
    shift[:, 2] = 0
    frame[:, 0] = torch.cat([rotation_about(up, yaw), shift[..., None]], dim=-1)
    present = draws.chance(NUM_PIECES, probability=_PIECE_SHARE_OUTDOORS)
    present = present | ~place.outdoors[:, None]
    present[:, 0] &= place.rig == WALK
    present = present & ~_in_the_way(place, frame, width, depth, height)
    affine = compose(frame[:, :, None].expand_as(piece.affine), piece.affine)
    affine = affine.flatten(1, 2)
    front = compose(affine, furniture.OPEN_FRONT.expand_as(affine))
    cut = torch.where(piece.open_front.flatten(1), shapes.BOX, shapes.NONE)
    here = present.repeat_interleave(furniture.PARTS, dim=1)
    extent = affine[..., :3].norm(dim=-2)
    surfaces = draw_surfaces(draws, extent, styles.FURNITURE, photographs=photographs)
    whole = draws.chance(extent.shape[1], probability=0.4)
    solids = Solids(
        body=Parts.place(piece.kind.flatten(1), piece.ratio.flatten(1), affine),
        cut=Parts.place(cut, torch.ones_like(cut), front),
    )
    pieces = Group(solids=solids, textures=fitted(surfaces, extent, whole)).only(here)
    small = draw_clutter(
        draws, place, frame, piece.top, present, photographs=photographs
    )
    return [pieces, small]


def _in_the_way(
    place: Place, frame: Tensor, width: Tensor, depth: Tensor, height: Tensor
) -> Bool[Tensor, "batch piece"]:
    """Which pieces reach to the thing, or to where cameras pass before it."""
    offset = place.focus[:, None] - frame[..., 3]
    along = (offset * frame[..., 0]).sum(-1).abs() - width
    across = (offset * frame[..., 1]).sum(-1).abs() - depth
    near = 1.5 * place.scale[:, None]
    tall = height > place.focus[:, 2:] - near
    reached = tall & (along < near) & (across < near)
    passed = (place.rig == FRONT)[:, None] & (along < MAX_SIDEWAYS + 0.3)
    return reached | (passed & (across < near))
