"""Random rooms and courtyards: walls with pictures, furniture along them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nvs.train.synthetic import furniture, shapes
from nvs.train.synthetic.draws import Draws, rotation_about
from nvs.train.synthetic.materials import draw_light, draw_textures
from nvs.train.synthetic.render import SceneBatch
from nvs.train.synthetic.solids import Parts, Solids, compose

NUM_PIECES = 7
NUM_PICTURES = 4
FREE_SHARE = 0.48
"""Cameras keep to this share of the floor, around its middle; furniture stays out."""
LOW_HEIGHT = 0.75
"""How high what stands in the middle may be, in metres: below every camera."""
_SHELL_FACES = 6
_FREQUENCY_SCALE = 0.55


def draw_rooms(
    draws: Draws, *, photographs: bool
) -> tuple[SceneBatch, Float[Tensor, "batch 3"]]:
    """One room or courtyard a scene, floor at z = 0, in metres.

    Returns:
        The scenes, and length, width and height of each room.
    """
    outdoors = draws.chance(probability=0.35)
    size = _draw_size(draws, outdoors)
    kind, ratio, affine, cut = _draw_furniture(draws, size)
    pictures = _draw_pictures(draws, size)
    shell = torch.diag_embed(size / 2)
    middle = size * size.new_tensor([0.0, 0.0, 0.5])
    shell = torch.cat([shell, middle[..., None]], dim=-1)[:, None]
    affine = torch.cat([affine, pictures, shell], dim=1)
    box = torch.full((draws.batch, NUM_PICTURES), shapes.BOX)
    kind = torch.cat([kind, box, torch.full_like(box[:, :1], shapes.SHELL)], dim=1)
    open_top = outdoors[:, None].double()
    ratio = torch.cat([ratio, torch.ones_like(box), open_top], dim=1)
    cut = torch.where(cut, shapes.BOX, shapes.NONE)
    rest = kind.shape[1] - cut.shape[1]
    cut = torch.cat([cut, cut.new_full((draws.batch, rest), shapes.NONE)], dim=1)
    front = compose(affine, furniture.OPEN_FRONT.expand_as(affine))

    lengths = affine[..., :3].norm(dim=-2)
    faces = lengths[:, -1:].expand(-1, _SHELL_FACES - 1, -1)
    surfaces = draw_textures(
        draws,
        torch.cat([lengths, faces], dim=1),
        photographs=photographs,
        frequency_scale=_FREQUENCY_SCALE,
    ).take(_shared_walls(draws, kind.shape[1]))
    solids = Solids(
        body=Parts.place(kind, ratio, affine), cut=Parts.place(cut, ratio, front)
    )
    light = draw_light(draws, _draw_sky(draws))
    return SceneBatch(solids=solids, textures=surfaces, light=light), size


def _draw_size(draws: Draws, outdoors: Tensor) -> Float[Tensor, "batch 3"]:
    plan = draws.uniform(2, low=3.4, high=8.0)
    plan = torch.where(outdoors[:, None], 1.8 * plan, plan)
    height = draws.uniform(1, low=2.4, high=3.6)
    wall = draws.uniform(1, low=1.8, high=5.0)
    return torch.cat([plan, torch.where(outdoors[:, None], wall, height)], dim=-1)


def _draw_furniture(
    draws: Draws, size: Float[Tensor, "batch 3"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Kinds, ratios, affine maps and which are open in front, of all parts."""
    reach = (1 - FREE_SHARE) / 4 * size[:, :2].amin(-1, keepdim=True)
    depth = reach * draws.uniform(NUM_PIECES, low=0.45, high=0.9)
    width = depth * draws.uniform(NUM_PIECES, low=0.7, high=2.2)
    height = draws.uniform(NUM_PIECES, low=0.5, high=2.2)
    height = torch.minimum(height, 0.85 * size[:, 2:])
    height[:, 0] = height[:, 0].clamp(max=LOW_HEIGHT)
    piece = furniture.draw_pieces(draws, width, depth, height)
    around = _stratified(draws, NUM_PIECES)
    place = _against_wall(around, size, depth)
    # The first piece stands in the middle, turned anyhow.
    yaw = draws.uniform(high=2 * math.pi)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    shift = draws.uniform(3, low=-0.5, high=0.5) * size * 0.3
    shift[:, 2] = 0
    place[:, 0] = torch.cat([rotation_about(up, yaw), shift[..., None]], dim=-1)
    affine = compose(place[:, :, None].expand_as(piece.affine), piece.affine)
    return (
        piece.kind.flatten(1),
        piece.ratio.flatten(1),
        affine.flatten(1, 2),
        piece.open_front.flatten(1),
    )


def _draw_pictures(draws: Draws, size: Tensor) -> Float[Tensor, "batch part 3 4"]:
    """Thin upright boxes on the walls at the height of the eyes."""
    half = draws.uniform(NUM_PICTURES, 3, low=0.2, high=0.6)
    half[..., 1] = 0.02
    place = _against_wall(_stratified(draws, NUM_PICTURES), size, half[..., 1])
    height = draws.uniform(NUM_PICTURES, low=0.45, high=0.65) * size[:, 2:]
    center = torch.stack(
        [torch.zeros_like(height), torch.zeros_like(height), height], -1
    )
    flat = torch.cat([torch.diag_embed(half), center[..., None]], dim=-1)
    return compose(place, flat)


def _stratified(draws: Draws, count: int) -> Float[Tensor, "batch count"]:
    """Positions in [0, 1) that spread over the walls."""
    index = torch.arange(count, dtype=torch.float64)
    jitter = draws.uniform(count, low=0.1, high=0.9)
    return ((index + jitter) / count + draws.uniform(1)) % 1.0


def _against_wall(
    around: Float[Tensor, "batch piece"],
    size: Float[Tensor, "batch 3"],
    depth: Float[Tensor, "batch piece"],
) -> Float[Tensor, "batch piece 3 4"]:
    """Frames on the floor, x along a wall, y into the room, `depth` away from it."""
    half = size[:, None, :2] / 2
    side = (around * 4).long().clamp(max=3)
    along = (2 * (around * 4 - side) - 1) * 0.8
    angle = side * (math.pi / 2)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    tangent = torch.stack([cosine, sine, zero], dim=-1)
    inward = torch.stack([-sine, cosine, zero], dim=-1)
    up = torch.stack([zero, zero, zero + 1], dim=-1)
    odd = side % 2 == 1
    length = torch.where(odd, half[..., 1], half[..., 0])
    distance = torch.where(odd, half[..., 0], half[..., 1])
    center = tangent * (along * length)[..., None]
    center = center - inward * (distance - depth)[..., None]
    return torch.stack([tangent, inward, up, center], dim=-1)


def _shared_walls(draws: Draws, num_parts: int) -> Int[Tensor, "batch slot"]:
    """Which slot each slot takes its texture from: mostly one for all four walls."""
    slots = num_parts + _SHELL_FACES - 1
    source = torch.arange(slots).repeat(draws.batch, 1)
    same = draws.chance(1, probability=0.6)
    walls = slice(slots - 4, slots)
    source[:, walls] = torch.where(same, slots - 4, source[:, walls])
    return source


def _draw_sky(draws: Draws) -> Float[Tensor, "batch 3"]:
    """From clear blue to overcast; only courtyards show it."""
    clear = torch.tensor([0.45, 0.65, 0.95], dtype=torch.float64)
    grey = draws.uniform(1, low=0.75, high=1.0)
    cloud = draws.uniform(1)
    return clear + (grey - clear) * cloud
