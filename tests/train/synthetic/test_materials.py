"""Styles of surfaces: whole photographs, bright ones, and colours kept in bounds."""

from __future__ import annotations

import torch

from nvs.train.synthetic import materials, textures
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.materials import (
    choose,
    draw_surfaces,
    fitted,
    shining,
)

SIZE = torch.tensor([0.4, 0.1, 0.3]).double().expand(20, 6, 3)
ALL = torch.ones(20, 6, dtype=torch.bool)


def drawn(
    style: materials.Style = materials.CLUTTER, seed: int = 0
) -> textures.Textures:
    return draw_surfaces(Draws(seed, 20, stream=0, photographs=True), SIZE, style)


def test_fitted_photographs_are_shown_once_and_whole() -> None:
    plain = drawn()
    surfaces = fitted(plain, SIZE, ALL)
    photograph = surfaces.kind == textures.PHOTOGRAPH
    assert photograph.any()
    corner = torch.tensor([[-1.0, -1.0, -1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    where = surfaces.texture_from_local[photograph] @ corner.T
    ends = torch.tensor([0.0, 1.0]).expand_as(where)
    torch.testing.assert_close(where, ends)
    same = surfaces.texture_from_local == plain.texture_from_local
    assert same[~photograph].all()


def test_what_shines_is_bright_and_blends_upward() -> None:
    colors = torch.tensor([[1.5, 1.4, 1.3], [0.2, 0.4, 0.9]]).double()
    surfaces = shining(drawn(), ALL, colors.expand(20, 6, 2, 3), upward=True)
    height = torch.linspace(-1, 1, 5)
    zero, slot = torch.zeros_like(height), torch.zeros(5).long()
    point = torch.stack([zero, zero, height])
    normal = torch.tensor([0.0, 1.0, 0.0])[:, None].expand(3, 5)
    color = textures.albedo(surfaces, slot, point, normal, zero + 1e-3, None)
    torch.testing.assert_close(color[:, 0].double(), colors[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(color[:, 4].double(), colors[1], atol=1e-4, rtol=0)
    assert (color[0].diff() < 0).all()
    assert (surfaces.gloss == 0).all()


def test_styles_keep_to_their_values() -> None:
    for style in (
        materials.WALL,
        materials.FLOOR,
        materials.GROUND,
        materials.ENCLOSURE,
    ):
        colors = drawn(style).colors / torch.tensor(style.tint)
        low, high = style.values
        assert low - 0.05 <= colors.min()
        assert colors.max() <= high + 0.05


def test_each_slot_has_the_texture_chosen_for_it() -> None:
    left, right = drawn(seed=0), drawn(seed=1)
    odd = (torch.arange(6) % 2 == 1).expand(20, 6)
    both = choose(odd, left, right)
    assert torch.equal(both.colors[:, 1::2], left.colors[:, 1::2])
    assert torch.equal(both.colors[:, ::2], right.colors[:, ::2])
    assert torch.equal(both.kind[:, 1::2], left.kind[:, 1::2])
