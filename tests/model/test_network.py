"""Laws of the network: what must not change its output."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nvs.cameras import Camera, orbit
from nvs.config import ModelConfig
from nvs.model import LaCTNetwork
from nvs.model.prefill import prefill_in_groups
from nvs.model.tokens import patches, posed_rays, unpatch

HEIGHT, WIDTH = 16, 24


def network(**changes: object) -> LaCTNetwork:
    values = {
        "dim": 32,
        "num_blocks": 3,
        "attention_head_dim": 16,
        "fast_head_dim": 32,
    } | changes
    torch.manual_seed(1)
    made = LaCTNetwork(ModelConfig(**values)).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    made.set_newton_schulz_dtype(torch.float32)
    return made


def ring(count: int, elevation: float = 0.3) -> Camera:
    return orbit(
        count,
        radius=2.7,
        elevation_radians=elevation,
        hfov_radians=0.9,
        height=HEIGHT,
        width=WIDTH,
    ).to(dtype=torch.float32)


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    return posed_rays(ring(5)), torch.rand(1, 5, 3, HEIGHT, WIDTH)


@pytest.fixture
def targets() -> Tensor:
    return posed_rays(ring(3, 0.6))


VARIANTS = [
    {},
    {"fast_network": "linear"},
    {"update_rule": "gradient_descent"},
    {"update_rule": "momentum"},
    {"fast_head_dim": 8, "fast_hidden_multiplier": 3},
    {"fast_position": "ray_point"},
    {"fast_position": "ray_point", "fast_head_dim": 16, "fast_hidden_multiplier": 3},
    {"fast_position": "ray_point", "fast_network": "linear"},
]
POSITIONS = ["none", "ray_point"]


@pytest.mark.parametrize("changes", VARIANTS)
@torch.no_grad()
def test_joint_equals_prefill_then_render(
    inputs: tuple[Tensor, Tensor], targets: Tensor, changes: dict[str, object]
) -> None:
    made = network(**changes)
    joint = made(*inputs, targets)
    rendered = made.render(made.prefill(*inputs), targets)
    torch.testing.assert_close(joint, rendered, atol=1e-5, rtol=0)
    assert joint.std() > 1e-3


@torch.no_grad()
def test_joint_equals_prefill_then_render_with_densities(
    inputs: tuple[Tensor, Tensor], targets: Tensor
) -> None:
    made = network(fast_position="surface_point", patch_size=4)
    pivot = torch.zeros(1, 3)  # of a scene, all of whose tokens are kept
    surface = torch.zeros(1, 8, 2, HEIGHT // 2, WIDTH // 2)
    surface[:, :, :, 2:6, 3:9] = torch.tensor([2.0, 1.0])[:, None, None]
    joint = made(*inputs, targets, pivot, surface)
    scene = made.prefill(*inputs, pivot, surface[:, :5])
    rendered = made.render(scene, targets, pivot, surface[:, 5:])
    torch.testing.assert_close(joint, rendered, atol=1e-5, rtol=0)
    assert (joint - made(*inputs, targets, pivot)).abs().max() > 1e-3


@pytest.mark.parametrize("position", POSITIONS)
@torch.no_grad()
def test_order_of_input_views_does_not_matter(
    inputs: tuple[Tensor, Tensor], targets: Tensor, position: str
) -> None:
    made = network(fast_position=position)
    order = torch.tensor([3, 0, 4, 2, 1])
    posed, image = inputs
    shuffled = made(posed[:, order], image[:, order], targets)
    torch.testing.assert_close(made(*inputs, targets), shuffled, atol=1e-5, rtol=0)


@pytest.mark.parametrize("position", POSITIONS)
@torch.no_grad()
def test_targets_do_not_see_each_other(
    inputs: tuple[Tensor, Tensor], targets: Tensor, position: str
) -> None:
    made = network(fast_position=position)
    together = made(*inputs, targets)
    alone = torch.cat([made(*inputs, targets[:, i : i + 1]) for i in range(3)], dim=1)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_inputs_matter(inputs: tuple[Tensor, Tensor], targets: Tensor) -> None:
    made = network()
    posed, image = inputs
    other = made(posed, 1 - image, targets)
    assert (made(posed, image, targets) - other).abs().max() > 1e-4


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("group_size", [1, 3, 5])
@torch.no_grad()
def test_groups_of_views_change_only_rounding(
    inputs: tuple[Tensor, Tensor], group_size: int, position: str
) -> None:
    made = network(fast_position=position)
    posed, image = inputs
    calls: list[tuple[int, int]] = []
    found = list(
        prefill_in_groups(
            made,
            lambda group: (
                made.embed(posed[:, group], image[:, group]),
                made.points(posed[:, group], None),
            ),
            num_views=5,
            group_size=group_size,
            progress=lambda done, total: calls.append((done, total)),
        )
    )
    for weights, expected in zip(found, made.prefill(posed, image), strict=True):
        for a, b in zip(weights, expected, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
    total = calls[-1][1]
    assert calls == [(done, total) for done in range(1, total + 1)]


def test_initialisation_has_the_stated_spread() -> None:
    config = ModelConfig(dim=128, num_blocks=6, fast_head_dim=128)
    made = LaCTNetwork(config)
    block = made.blocks[0]
    expected = {
        block.attention.qkv.weight: 0.02,
        block.mlp.output.weight: 0.02 / 18**0.5,
        made.output.weight: 0.02,
        block.lact.initial[0]: (2 / 128) ** 0.5,
        block.lact.initial[1]: (2 / 256) ** 0.5,
    }
    for weight, std in expected.items():
        assert weight.std().item() == pytest.approx(std, rel=0.05)


def test_fresh_learning_rate_is_the_base_rate() -> None:
    layer = network().blocks[0].lact
    torch.nn.init.zeros_(layer.learning_rate.weight)
    rates = layer._rates(torch.randn(1, 4, 32))
    torch.testing.assert_close(rates, torch.full_like(rates, 0.01))


def test_patches_run_row_column_channel() -> None:
    posed = torch.zeros(1, 1, 9, 16, 16)
    image = torch.zeros(1, 1, 3, 16, 16)
    image[0, 0, 2, 9, 3] = 1.0
    features = patches(posed, image, network(patch_size=8).config)
    token, feature = 2 * 1 + 0, (1 * 8 + 3) * 12 + 9 + 2
    assert features[0, 0, token, feature] == 1.0
    assert (features == 1.0).sum() == 1


def test_unpatch_inverts_patches() -> None:
    image = torch.rand(2, 3, 3, 16, 24)
    features = patches(
        torch.zeros(2, 3, 9, 16, 24), image, network(patch_size=8).config
    )
    colours = features.unflatten(-1, (64, 12))[..., 9:].flatten(-2)
    found = unpatch(colours, height=16, width=24, patch_size=8)
    torch.testing.assert_close(found, image * 2 - 1)


def test_rays_keep_their_precision_under_autocast() -> None:
    expected = posed_rays(ring(2))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(posed_rays(ring(2)), expected)
