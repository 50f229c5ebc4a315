"""Rooms and yards: how large, where the cameras may go, and what they attend to.

Lengths are in metres; the floor is at z = 0 and its middle at the origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nvs.train.synthetic.draws import Draws

WALK, RING, FRONT = range(3)
"""Cameras walk about, go around a thing in the middle, or pass before a wall."""
WINDOW_SIDE = 1
"""The side of a room that may have a window: where x is largest."""
FREE_SHARE = 0.6
"""Share of the floor, around its middle, that nothing tall stands on."""
MARGIN = 0.2
"""Cameras keep this far inside the free floor."""
MAX_SIDEWAYS = 1.0
"""How far to a side of a thing at a wall cameras go."""
REACH = math.sqrt(2)
"""How far the corner of a thing of unit scale is from its upright axis."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Place:
    """The room or yard of each scene, and the one thing there that matters."""

    outdoors: Bool[Tensor, "batch"]
    size: Float[Tensor, "batch 3"]
    """Length, width and height; of a yard, those of the part that is furnished."""
    enclosure: Float[Tensor, "batch 3"]
    """Length, width and height of what encloses it; outdoors the ground goes on."""
    rig: Int[Tensor, "batch"]
    """`WALK`, `RING` or `FRONT`."""
    side: Int[Tensor, "batch"]
    """The side that the thing is at, if it is not in the middle; see `wall_frames`."""
    focus: Float[Tensor, "batch 3"]
    """The middle of the thing."""
    scale: Float[Tensor, "batch"]
    """Half the side of the upright cube that holds the thing."""
    stand: Float[Tensor, "batch"]
    """Height of what the thing stands on."""

    @property
    def clear(self) -> Float[Tensor, "batch 2"]:
        """Half the length and width of the floor that cameras keep to."""
        return FREE_SHARE / 2 * self.size[:, :2] - MARGIN

    @property
    def distances(self) -> Float[Tensor, "batch 2"]:
        """Nearest and farthest that cameras which attend to the thing are from it.

        Those around it are so far from its axis, those before it from its plane.
        """
        around = _reach(self.clear, self.focus)
        inward = wall_frames(self.side, self.scale, self.size, self.scale)[..., :2, 1]
        before = (inward.abs() * self.clear - inward * self.focus[:, :2]).sum(-1)
        farthest = torch.where(self.rig == RING, around, before)
        return torch.stack([REACH * self.scale + 0.4, farthest], dim=-1)


def draw_places(draws: Draws) -> Place:
    """One place a scene."""
    outdoors = draws.chance(probability=0.35)
    rig = draws.choice(weights=[0.35, 0.35, 0.3])
    size = _draw_size(draws, outdoors, rig)
    beyond = draws.uniform(1, low=1.0, high=4.0).clamp_min(1.4)
    far = torch.cat([size[:, :2] * beyond, size[:, 2:] * beyond**0.5], dim=-1)

    shift = draws.uniform(2, low=-0.12, high=0.12) * size[:, :2] * FREE_SHARE / 2
    room = _reach(FREE_SHARE / 2 * size[:, :2] - MARGIN, shift) - 0.5
    in_middle = (room * draws.uniform(low=0.25, high=0.8)).clamp(max=1.1) / REACH
    raised = draws.uniform(low=0.0, high=0.85)
    on_ground = draws.chance(probability=0.5) & outdoors
    stand = torch.where(on_ground, 0.0, raised)

    sides = [side for side in range(4) if side != WINDOW_SIDE]
    side = torch.tensor(sides)[draws.integer(count=len(sides))]
    at_wall = draws.uniform(low=0.25, high=0.6) * torch.where(outdoors, 1.5, 1.0)
    along = draws.uniform(low=-0.5, high=0.5) * FREE_SHARE / 2
    height = torch.where(outdoors, at_wall, draws.uniform(low=0.9, high=1.6))
    length = torch.where(side % 2 == 1, size[:, 1], size[:, 0])
    depth = torch.where(outdoors, 1.0, 0.7) * at_wall
    hung = wall_frames(side, along * length, size, depth)[..., 3]
    hung = torch.cat([hung[:, :2], height[:, None]], dim=-1)
    middle = rig == RING
    stood = torch.cat([shift, (stand + in_middle)[:, None]], dim=-1)
    return Place(
        outdoors=outdoors,
        size=size,
        enclosure=torch.where(outdoors[:, None], far, size),
        rig=rig,
        side=side,
        focus=torch.where(middle[:, None], stood, hung),
        scale=torch.where(middle, in_middle, at_wall),
        stand=torch.where(middle, stand, 0.0),
    )


def wall_frames(
    side: Int[Tensor, "*shape"],
    along: Float[Tensor, "*shape"],
    size: Float[Tensor, "*shape 3"],
    depth: Float[Tensor, "*shape"],
) -> Float[Tensor, "*shape 3 4"]:
    """Frames on the floor, x along a wall, y into the room, z up.

    Args:
        side: Which wall: 0 and 2 where y is least and largest, 3 and 1 for x.
        along: Distance from the middle of the wall.
        size: Length, width and height of the room.
        depth: Distance from the wall.
    """
    angle = side * (math.pi / 2)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(along)
    tangent = torch.stack([cosine, sine, zero], dim=-1)
    inward = torch.stack([-sine, cosine, zero], dim=-1)
    up = torch.stack([zero, zero, zero + 1], dim=-1)
    distance = torch.where(side % 2 == 1, size[..., 0], size[..., 1]) / 2
    center = tangent * along[..., None] - inward * (distance - depth)[..., None]
    return torch.stack([tangent, inward, up, center], dim=-1)


def against_walls(
    around: Float[Tensor, "batch piece"],
    size: Float[Tensor, "batch 3"],
    depth: Float[Tensor, "batch piece"],
) -> Float[Tensor, "batch piece 3 4"]:
    """Frames `depth` away from the walls, at positions in [0, 1) around the room."""
    side = (around * 4).long().clamp(max=3)
    sizes = size[:, None].expand(*around.shape, 3)
    length = torch.where(side % 2 == 1, sizes[..., 1], sizes[..., 0])
    along = (around * 4 - side - 0.5) * 0.8 * length
    return wall_frames(side, along, sizes, depth)


def stratified(draws: Draws, count: int) -> Float[Tensor, "batch count"]:
    """Positions in [0, 1) that spread over the whole."""
    index = torch.arange(count, dtype=torch.float64)
    jitter = draws.uniform(count, low=0.1, high=0.9)
    return ((index + jitter) / count + draws.uniform(1)) % 1.0


def _draw_size(draws: Draws, outdoors: Tensor, rig: Tensor) -> Float[Tensor, "batch 3"]:
    """Length, width and height; larger outdoors and to go around something."""
    plan = draws.uniform(2, low=3.6, high=7.5) + 0.9 * (rig == RING)[:, None]
    plan = torch.where(outdoors[:, None], 1.5 * plan, plan)
    height = draws.uniform(1, low=2.4, high=3.4)
    wall = draws.uniform(1, low=1.2, high=4.0)
    return torch.cat([plan, torch.where(outdoors[:, None], wall, height)], dim=-1)


def _reach(clear: Tensor, shift: Tensor) -> Float[Tensor, "batch"]:
    """Radius of the largest circle around a point within the clear floor."""
    return (clear - shift[:, :2].abs()).amin(-1)
