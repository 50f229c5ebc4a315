"""What surfaces of one purpose look like: walls are paler than cans."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.train.synthetic import textures
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.materials import KIND_WEIGHTS, draw_textures
from nvs.train.synthetic.textures import Textures


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
    draws: Draws,
    size: Float[Tensor, "batch slot 3"],
    style: Style,
    *,
    photographs: bool,
) -> Textures:
    """Textures in a style; the other arguments are those of `draw_textures`."""
    drawn = draw_textures(
        draws,
        size,
        photographs=photographs,
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


def choose(
    chosen: Bool[Tensor, "batch #slot"], these: Textures, others: Textures
) -> Textures:
    """Textures of one set where chosen, of the other elsewhere."""

    def pick(name: str) -> Tensor:
        yes, no = getattr(these, name), getattr(others, name)
        return torch.where(
            chosen.reshape(*chosen.shape, *(1,) * (yes.ndim - 2)), yes, no
        )

    return Textures(**{field.name: pick(field.name) for field in fields(these)})


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
