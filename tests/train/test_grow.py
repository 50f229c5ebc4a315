from __future__ import annotations

import dataclasses

import pytest
import torch

from nvs.config import ModelConfig
from nvs.model import LaCTNetwork
from nvs.model.fast_weight import apply
from nvs.model.ray_point import turns, wider_channels
from nvs.model.reprojection import GATE_OFFSET
from nvs.train.grow import can_grow, grow

SMALL = ModelConfig(
    dim=48,
    num_blocks=2,
    patch_size=4,
    attention_head_dim=24,
    fast_head_dim=24,
    fast_position="ray_point",
)
NO_POSITIONS = dataclasses.replace(SMALL, fast_position="none")


def network(config: ModelConfig) -> LaCTNetwork:
    """Of weights whose outputs and fast weights count."""
    net = LaCTNetwork(config)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if name.endswith("output.weight"):
                weight.normal_(std=0.2)
    return net


def grown(net: LaCTNetwork, **larger: int | bool) -> LaCTNetwork:
    wanted = dataclasses.replace(net.config, **larger)
    assert can_grow(net.config, wanted)
    new = LaCTNetwork(wanted)
    state = grow(net.state_dict(), net.config, wanted, new.state_dict())
    new.load_state_dict(state)
    return new


def views() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    posed = torch.randn(1, 4, 9, 8, 8)
    return posed[:, :3], torch.rand(1, 3, 3, 8, 8), posed[:, 3:]


@pytest.mark.parametrize("num_blocks", [2, 3, 5])
def test_more_blocks_give_what_there_was(num_blocks: int) -> None:
    net, given = network(SMALL), views()
    more = grown(net, num_blocks=num_blocks)
    torch.testing.assert_close(more(*given), net(*given))


def test_repeated_blocks_learn() -> None:
    more = grown(network(SMALL), num_blocks=4)
    more(*views()).square().mean().backward()
    for block in more.layers:
        for layer in (block.attention, block.lact, block.mlp):
            gradient = layer.output.weight.grad
            assert gradient is not None
            assert gradient.abs().max() > 0


def test_a_wider_fast_network_is_the_same_function() -> None:
    net = network(NO_POSITIONS)
    wide = grown(net, fast_hidden_multiplier=4)
    x = torch.randn(2, 2, 5, 24)
    for one, other in zip(net.layers, wide.layers, strict=True):
        before = apply(one.lact.initial_weights(2), x)
        torch.testing.assert_close(apply(other.lact.initial_weights(2), x), before)


def test_channels_of_a_wider_one_turn_by_nearly_the_same_angle() -> None:
    point = torch.rand(1, 6, 3) * 2 - 1
    narrow, wide = (
        turns(point, head_dim=128, hidden_dim=width).hidden for width in (256, 512)
    )
    channels = wider_channels(256, 512)
    assert len(channels.unique()) == 256
    assert torch.equal(channels[128:], channels[:128] + 256)
    off = (narrow.cos - wide.cos[..., channels[:128]]).abs()
    assert off.max() < 0.7
    assert off.mean() < 0.1


@pytest.mark.parametrize("head_dim", [12, 24, 64, 128, 256])
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 3), (2, 4), (4, 8), (3, 3)])
def test_no_two_channels_get_one_place(head_dim: int, before: int, after: int) -> None:
    channels = wider_channels(before * head_dim, after * head_dim)
    assert len(channels.unique()) == before * head_dim
    assert channels.max() < after * head_dim
    assert before != after or torch.equal(channels, torch.arange(len(channels)))


def test_a_wider_one_with_positions_begins_near_it() -> None:
    net, given = network(dataclasses.replace(SMALL, fast_hidden_multiplier=4)), views()
    wide = grown(net, fast_hidden_multiplier=8)
    for name, weight in net.state_dict().items():
        if "initial" in name:
            assert wide.state_dict()[name].norm() >= weight.norm() * 0.999
    before, unrelated = net(*given), network(wide.config)(*given)
    assert (wide(*given) - before).abs().mean() < (unrelated - before).abs().mean() / 2


def test_one_that_reprojects_begins_with_a_blend() -> None:
    net = network(dataclasses.replace(SMALL, fast_position="surface_point"))
    more, given = grown(net, reprojection=True), views()
    for one in (net, more):
        one.set_newton_schulz_dtype(torch.float32)
    torch.testing.assert_close(more(*given), net(*given), atol=1e-4, rtol=0)
    known = torch.rand(1, 1, 6, 8, 8)
    found = more(*given, None, None, known)
    share = torch.sigmoid(torch.tensor(GATE_OFFSET)) * known[:, :, 3:4]
    torch.testing.assert_close(found, torch.lerp(more(*given), known[:, :, :3], share))
    assert not can_grow(more.config, net.config)
    assert can_grow(SMALL, more.config), "where positions are is no part of weights"
    assert not can_grow(more.config, SMALL)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_blocks": 1},
        {"fast_hidden_multiplier": 1},
        {"dim": 96, "num_blocks": 3},
        {"patch_size": 8},
    ],
)
def test_nothing_else_grows(changes: dict[str, int]) -> None:
    assert not can_grow(SMALL, dataclasses.replace(SMALL, **changes))


def test_a_linear_fast_network_has_no_hidden_channels() -> None:
    linear = dataclasses.replace(NO_POSITIONS, fast_network="linear")
    assert not can_grow(linear, dataclasses.replace(linear, fast_hidden_multiplier=4))
