"""Random colours, textures and light."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from nvs.train.synthetic import textures
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.shading import Light
from nvs.train.synthetic.textures import Textures

KIND_WEIGHTS = (0.2, 0.22, 0.16, 0.16, 0.08, 0.18)
"""Plain, waves, checker, stripes, gradient, marks."""
_FREQUENCY_RANGES = torch.tensor(
    [[1.0, 1.0], [0.4, 1.8], [1.2, 5.0], [1.2, 7.0], [0.12, 0.4], [2.0, 5.5], [0.4, 1]],
    dtype=torch.float64,
)
"""Cycles per unit of an object two units wide, for each kind of texture."""


def draw_textures(
    draws: Draws,
    size: Float[Tensor, "batch slot 3"],
    *,
    photographs: bool,
    photograph_share: float = 0.45,
    kind_weights: tuple[float, ...] = KIND_WEIGHTS,
    frequency_scale: float = 1.0,
) -> Textures:
    """Textures for parts whose axes have the given lengths in world units.

    Args:
        draws: Random numbers.
        size: Lengths of the axes of each slot's part, so that patterns have the same
            scale along each.
        photographs: Whether some textures shall be photographs.
        photograph_share: How many of them.
        kind_weights: How often each kind of pattern occurs among the others.
        frequency_scale: Multiplies the frequencies meant for objects two units wide.
    """
    slots = size.shape[1]
    kind = draws.choice(slots, weights=list(kind_weights))
    photograph = draws.chance(slots, probability=photograph_share)
    if photographs:
        kind = torch.where(photograph, textures.PHOTOGRAPH, kind)
    low, high = _FREQUENCY_RANGES[kind].log().unbind(-1)
    frequency = (low + (high - low) * draws.uniform(slots)).exp() * frequency_scale
    tilted = draws.chance(slots, probability=0.4) & (kind < textures.MARKS)
    turn = _axis_swap(draws, slots)
    turn = torch.where(tilted[..., None, None], draws.rotation(slots), turn)
    upright = kind >= textures.MARKS
    turn = torch.where(upright[..., None, None], torch.eye(3, dtype=turn.dtype), turn)
    linear = turn * size[..., None, :] * frequency[..., None, None]
    phase = draws.uniform(slots, 3)[..., None]
    gloss = draws.uniform(slots, low=0.1, high=0.45)
    shiny = draws.chance(slots, probability=0.35)
    return Textures(
        kind=kind,
        texture_from_local=torch.cat([linear, phase], dim=-1).float(),
        frequency=frequency.float(),
        colors=draw_colors(draws, slots).float(),
        contrast=draws.uniform(slots, high=0.95).float(),
        number=draws.integer(slots, count=textures.NUMBERS),
        gloss=(gloss * shiny).float(),
    )


def draw_colors(draws: Draws, slots: int) -> Float[Tensor, "batch slot 2 3"]:
    """Two colours a slot, apart enough to be told from each other.

    Each scene has a leading hue that half of the colours keep close to; some colours
    are near white, near black or grey, the others from pastel to saturated.
    """
    lead = draws.uniform(1, 1)
    near = draws.chance(slots, 2, probability=0.5)
    free = draws.uniform(slots, 2)
    hue = torch.where(near, lead + 0.12 * (free - 0.5), free) % 1.0
    saturation = draws.uniform(slots, 2) ** 0.7
    value = draws.uniform(slots, 2, low=0.25, high=1.0)
    tone = draws.choice(slots, 2, weights=[0.66, 0.14, 0.12, 0.08])
    dull = 0.06 * draws.uniform(slots, 2)
    saturation = torch.where(tone > 0, dull, saturation)
    bright = draws.uniform(slots, 2)
    value = torch.where(tone == 1, 0.9 + 0.1 * bright, value)
    value = torch.where(tone == 2, 0.02 + 0.1 * bright, value)
    # Where the two are alike, move the second to the other end of the scale.
    alike = (value[..., 0] - value[..., 1]).abs() < 0.25
    far = torch.where(value[..., 0] > 0.5, value[..., 0] - 0.45, value[..., 0] + 0.45)
    value = torch.stack([value[..., 0], torch.where(alike, far, value[..., 1])], -1)
    return _rgb(hue, saturation, value)


def draw_light(
    draws: Draws,
    background: Float[Tensor, "batch 3"],
    zenith: Float[Tensor, "batch 3"],
    nearness: Float[Tensor, "batch"],
) -> Light:
    """Mostly ambient light with a lamp that is rarely below the horizon."""
    ambient = draws.uniform(low=0.6, high=1.0)
    toward = draws.direction()
    height = toward[:, 2].abs() * 0.9 + 0.1
    below = draws.chance(probability=0.1)
    height = torch.where(below, -height, height)
    toward = normalize(torch.cat([toward[:, :2], height[:, None]], dim=-1), dim=-1)
    lamp = (1.08 - ambient) * draws.uniform(low=0.5, high=1.0)
    return Light(
        toward=toward.float(),
        nearness=nearness.float(),
        ambient=ambient.float(),
        lamp=lamp.float(),
        background=background.float(),
        zenith=zenith.float(),
    )


def _axis_swap(draws: Draws, slots: int) -> Float[Tensor, "batch slot 3 3"]:
    """Cyclic permutations of the axes."""
    eye = torch.eye(3, dtype=torch.float64)
    cycles = torch.stack([eye, eye[[1, 2, 0]], eye[[2, 0, 1]]])
    return cycles[draws.integer(slots, count=3)]


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Float[Tensor, "... 3"]:
    offset = torch.tensor([0.0, 2 / 3, 1 / 3], dtype=hue.dtype)
    wave = 0.5 + 0.5 * (2 * math.pi * (hue[..., None] + offset)).cos()
    return value[..., None] * (1 - saturation[..., None] * (1 - wave))
