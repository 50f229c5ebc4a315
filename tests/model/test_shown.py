"""Which tokens are kept, and that the others are white."""

from __future__ import annotations

import torch

from nvs.config import ModelConfig
from nvs.model import LaCTNetwork
from nvs.model.shown import AROUND, by_colours, by_surfaces, kept, put_back, take
from nvs.model.tokens import posed_rays
from tests.balls import ring

CONFIG = ModelConfig(
    dim=32,
    num_blocks=2,
    patch_size=4,
    attention_head_dim=16,
    fast_head_dim=32,
    fast_position="surface_point",
    reprojection=True,
)


def test_all_that_shows_something_is_kept() -> None:
    shown = torch.rand(2, 3, 4, 5) > 0.6
    numbers = kept(shown)
    assert numbers.shape == (2, 3, shown.flatten(2).sum(-1).max())
    again = torch.zeros(2, 3, 20).scatter(2, numbers, 1.0)
    assert (again.view_as(shown).bool() | ~shown).all()
    assert kept(torch.zeros(1, 1, 4, 4, dtype=torch.bool)).shape == (1, 1, 1)


def test_what_is_taken_is_put_back() -> None:
    tokens = torch.randn(2, 3, 20, 7)
    numbers = kept(torch.rand(2, 3, 4, 5) > 0.5)
    full = put_back(take(tokens, numbers), numbers, 20, fill=5.0)
    is_kept = torch.zeros(2, 3, 20, 1).scatter(2, numbers[..., None], 1.0) > 0
    assert torch.equal(full, torch.where(is_kept, tokens, 5.0))


def test_patches_beside_what_shows_are_kept() -> None:
    image = torch.ones(1, 1, 3, 64, 64)
    image[..., 33, 29] = 0.5
    surface = torch.zeros(1, 1, 2, 32, 32)
    surface[:, :, :, 16, 14] = 1
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[8 - AROUND : 9 + AROUND, 7 - AROUND : 8 + AROUND] = True
    assert torch.equal(by_colours(image, 4)[0, 0], expected)
    assert torch.equal(by_surfaces(surface, 4)[0, 0], expected)


@torch.no_grad()
def test_a_view_is_white_where_nothing_is_kept() -> None:
    network = LaCTNetwork(CONFIG).eval()
    network.set_newton_schulz_dtype(torch.float32)
    posed = posed_rays(ring(3, 0.3, 64))
    surface = torch.zeros(1, 3, 2, 32, 32)
    surface[:, :, 0], surface[:, :, 1, 12:18, 12:18] = 2.0, 1
    scene = network.prefill(posed, torch.rand(1, 3, 3, 64, 64), None, surface)
    known = torch.ones(1, 3, 6, 64, 64)
    known[..., 24:36, 24:36] = torch.rand(12, 12)
    for given in (None, known):
        image = network.render(scene, posed, None, surface, given)
        is_kept = by_surfaces(surface, 4)[0, 0].repeat_interleave(4, 0)
        is_kept = is_kept.repeat_interleave(4, 1)
        assert image[..., ~is_kept].eq(1).all()
        assert image[..., 24:36, 24:36].lt(1).all()


@torch.no_grad()
def test_a_view_alone_keeps_only_its_own() -> None:
    """So frames do not depend on what they are rendered with."""
    network = LaCTNetwork(CONFIG).eval()
    network.set_newton_schulz_dtype(torch.float32)
    posed = posed_rays(ring(2, 0.3, 64))
    surface = torch.zeros(1, 2, 2, 32, 32)
    surface[:, 0, :, 12:18, 12:18] = 1
    surface[:, 1, :, 4:28, 4:28] = 1
    tokens, points = network.embed_inputs(
        posed[:, :1], torch.ones(1, 1, 3, 64, 64), None, surface[:, :1]
    )
    assert tokens.shape[2] == 1
    assert points is not None
    assert points.shape[2] == 1
    shown = network.shown(None, surface)
    assert shown is not None
    assert kept(shown[:, :1]).shape[-1] < kept(shown).shape[-1]
    assert network.shown(torch.zeros(1, 3), surface) is None
