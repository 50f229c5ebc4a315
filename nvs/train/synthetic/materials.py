"""Random colours and textures, in styles: walls are paler than cans."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.train.synthetic import textures
from nvs.train.synthetic.draws import CYCLES, Draws
from nvs.train.synthetic.textures import Textures
from nvs.train.tensors import combine

KIND_WEIGHTS = (0.2, 0.22, 0.16, 0.16, 0.08, 0.18)
"""Plain, waves, checker, stripes, gradient, marks."""
_FREQUENCY_RANGES = torch.tensor(
    [
        [1.0, 1.0],
        [0.4, 1.8],
        [1.2, 5.0],
        [1.2, 7.0],
        [0.12, 0.4],
        [2.0, 5.5],
        [0.4, 1.3],
    ],
    dtype=torch.float64,
)
"""Cycles per unit of an object two units wide, for each kind of texture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """How textures of one purpose are drawn."""

    kinds: tuple[float, ...] = KIND_WEIGHTS
    """Weights of plain, waves, checker, stripes, gradient and marks."""
    photographs: float = 0.55
    """Share of photographs, where there are any."""
    frequency: float = 0.8
    """Multiplies the frequencies meant for objects two units wide."""
    saturation: float = 0.8
    """Largest share of a drawn colour's saturation that is kept."""
    values: tuple[float, float] = (0.05, 1.0)
    """What black and white become."""
    contrast: tuple[float, float] = (0.4, 1.0)
    """Range of the share of the difference of two colours that is kept."""
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplies red, green and blue."""


WALL = Style(
    kinds=(0.15, 0.22, 0.06, 0.2, 0.12, 0.25),
    frequency=0.55,
    saturation=0.75,
    values=(0.35, 1.0),
    contrast=(0.15, 0.75),
)
FLOOR = Style(
    kinds=(0.08, 0.37, 0.16, 0.27, 0.04, 0.08),
    frequency=0.6,
    saturation=0.7,
    values=(0.12, 0.9),
    contrast=(0.15, 0.8),
    tint=(1.0, 0.94, 0.86),
)
GROUND = Style(
    kinds=(0.05, 0.75, 0.05, 0.05, 0.02, 0.08),
    frequency=0.5,
    saturation=0.55,
    values=(0.15, 0.85),
    contrast=(0.2, 0.7),
    tint=(0.92, 1.0, 0.78),
)
ENCLOSURE = Style(
    kinds=(0.05, 0.5, 0.08, 0.17, 0.06, 0.14),
    photographs=0.6,
    frequency=0.3,
    saturation=0.7,
    values=(0.1, 0.9),
    contrast=(0.2, 0.8),
)
FOLIAGE = Style(
    kinds=(0.03, 0.75, 0.0, 0.02, 0.0, 0.2),
    photographs=0.35,
    frequency=1.2,
    saturation=0.35,
    values=(0.1, 0.85),
    tint=(0.72, 0.95, 0.5),
)
FURNITURE = Style(saturation=0.9)
CLUTTER = Style(frequency=3.0, saturation=1.2)


def draw_surfaces(
    draws: Draws, size: Float[Tensor, "batch slot 3"], style: Style
) -> Textures:
    """Textures in a style; the other arguments are those of `draw_textures`."""
    drawn = draw_textures(
        draws,
        size,
        photograph_share=style.photographs,
        kind_weights=style.kinds,
        frequency_scale=style.frequency,
    )
    slots = size.shape[1]
    kept = style.saturation * draws.uniform(1, 1, 1, low=0.2)
    low, high = style.contrast
    apart = draws.uniform(slots, 1, low=low, high=high)
    first, second = drawn.colors.double().unbind(-2)
    color = torch.stack([first, first + apart * (second - first)], dim=-2)
    grey = color.mean(-1, keepdim=True)
    black, white = style.values
    color = black + (white - black) * (grey + kept * (color - grey))
    return replace(drawn, colors=(color * color.new_tensor(style.tint)).float())


def draw_textures(
    draws: Draws,
    size: Float[Tensor, "batch slot 3"],
    *,
    photograph_share: float = 0.45,
    kind_weights: tuple[float, ...] = KIND_WEIGHTS,
    frequency_scale: float = 1.0,
) -> Textures:
    """Textures for parts whose axes have the given lengths in world units.

    Args:
        draws: Random numbers.
        size: Lengths of the axes of each slot's part, so that patterns have the same
            scale along each.
        photograph_share: How many of them.
        kind_weights: How often each kind of pattern occurs among the others.
        frequency_scale: Multiplies the frequencies meant for objects two units wide.
    """
    slots = size.shape[1]
    kind = draws.choice(slots, weights=list(kind_weights))
    photograph = draws.chance(slots, probability=photograph_share)
    if draws.photographs:
        kind = torch.where(photograph, textures.PHOTOGRAPH, kind)
    low, high = _FREQUENCY_RANGES[kind].log().unbind(-1)
    frequency = (low + (high - low) * draws.uniform(slots)).exp() * frequency_scale
    tilted = draws.chance(slots, probability=0.4) & (kind < textures.MARKS)
    turn = CYCLES[draws.integer(slots, count=3)]
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


def choose(
    chosen: Bool[Tensor, "batch #slot"], these: Textures, others: Textures
) -> Textures:
    """Textures of one set where chosen, of the other elsewhere."""

    def pick(yes: Tensor, no: Tensor) -> Tensor:
        width = (1,) * (yes.ndim - 2)
        return torch.where(chosen.reshape(*chosen.shape, *width), yes, no)

    return combine(pick, these, others)


def fitted(
    surfaces: Textures,
    size: Float[Tensor, "batch slot 3"],
    chosen: Bool[Tensor, "batch slot"],
) -> Textures:
    """With photographs of chosen slots shown once and whole on each side."""
    chosen = chosen & (surfaces.kind == textures.PHOTOGRAPH)
    half = torch.full((3, 1), 0.5)
    whole = torch.cat([torch.diag(half[:, 0]), half], dim=-1)
    # One turn in the geometric mean of the sides.
    frequency = 0.5 / size.prod(-1) ** (1 / 3)
    return replace(
        surfaces,
        texture_from_local=torch.where(
            chosen[..., None, None], whole, surfaces.texture_from_local
        ),
        frequency=torch.where(chosen, frequency.float(), surfaces.frequency),
    )


def shining(
    surfaces: Textures,
    chosen: Bool[Tensor, "batch slot"],
    colors: Float[Tensor, "batch slot 2 3"],
    *,
    upward: bool = False,
) -> Textures:
    """With chosen slots as bright as `colors` say, above 1 in any light.

    Args:
        surfaces: What there is.
        chosen: Which shine.
        colors: The first and the second colour of each slot.
        upward: Whether they blend from the first at the bottom to the second at the
            top of a part; the first alone if not.
    """
    rise = torch.zeros(3, 4)
    # The sine of a gradient goes from one end to the other within half a cycle.
    rise[0, 2] = 0.25
    kind = textures.GRADIENT if upward else textures.PLAIN
    return replace(
        surfaces,
        kind=torch.where(chosen, kind, surfaces.kind),
        texture_from_local=torch.where(
            chosen[..., None, None], rise, surfaces.texture_from_local
        ),
        frequency=torch.where(chosen, 0.1, surfaces.frequency),
        colors=torch.where(chosen[..., None, None], colors.float(), surfaces.colors),
        gloss=surfaces.gloss * ~chosen,
    )


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Float[Tensor, "... 3"]:
    offset = torch.tensor([0.0, 2 / 3, 1 / 3], dtype=hue.dtype)
    wave = 0.5 + 0.5 * (2 * math.pi * (hue[..., None] + offset)).cos()
    return value[..., None] * (1 - saturation[..., None] * (1 - wave))
