"""A larger network that begins as a smaller, trained one.

Blocks are repeated, and a repeated one adds nothing at first: its outputs are zero.
Hidden channels of the fast networks are added, which are read by nothing until an
update writes to them. So a network with more blocks alone gives what the smaller gave;
one with wider fast networks nearly so, and learns the rest in a few steps. One that
reprojects reads nothing of it at first, but blends it with what it renders.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from nvs.config import ModelConfig
from nvs.model.ray_point import wider_channels

GROWING = ("num_blocks", "fast_hidden_multiplier", "reprojection")
BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
WIDENED = {"lact.initial.0": -1, "lact.initial.1": -2, "lact.initial.2": -1}
"""The dimension of initial fast weights that is the hidden one."""
ENDS = {"embedding.weight": 1, "output.weight": 0}
"""The dimension of these that runs over pixels of a patch and their channels."""


def can_grow(found: ModelConfig, wanted: ModelConfig) -> bool:
    """Whether a network can begin as another: alike, and nowhere smaller.

    Where positions are is no part of the weights.
    """
    larger = {key: getattr(wanted, key) for key in GROWING}
    position = wanted.fast_position
    alike = dataclasses.replace(found, **larger, fast_position=position) == wanted
    widens = wanted.fast_hidden_multiplier != found.fast_hidden_multiplier
    if widens and found.fast_network != "swiglu":
        return False
    return alike and all(larger[key] >= getattr(found, key) for key in GROWING)


def grow(
    state: Mapping[str, Tensor],
    found: ModelConfig,
    wanted: ModelConfig,
    new: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """Weights of a network that begins as a smaller one.

    Args:
        state: Weights of the smaller.
        found: Its configuration.
        wanted: The configuration of the larger; `can_grow` was asked.
        new: New weights of the larger, for channels that the smaller has not.
    """
    grown = {n: w for n, w in state.items() if not BLOCK.fullmatch(n)}
    for name, dim in ENDS.items():
        grown[name] = _with_channels(state[name], new[name], dim, wanted.patch_size)
    last = None
    for index in range(wanted.num_blocks):
        source = index * found.num_blocks // wanted.num_blocks
        for name in _names(state, source):
            weight = state[f"blocks.{source}.{name}"]
            target = f"blocks.{index}.{name}"
            if name in WIDENED and weight.shape != new[target].shape:
                weight = _widened(weight, new[target], WIDENED[name], found, wanted)
            if source == last and name.endswith("output.weight"):
                weight = torch.zeros_like(weight)
            grown[target] = weight.clone()
        last = source
    return grown


def _with_channels(weight: Tensor, new: Tensor, dim: int, patch_size: int) -> Tensor:
    """An end of the network with more channels a pixel, the last of which are 0."""
    pixels = weight.unflatten(dim, (patch_size**2, -1))
    wide = torch.zeros_like(new.unflatten(dim, (patch_size**2, -1)), dtype=weight.dtype)
    wide.narrow(dim + 1, 0, pixels.shape[dim + 1]).copy_(pixels)
    return wide.flatten(dim, dim + 1)


def _names(state: Mapping[str, Tensor], block: int) -> list[str]:
    """Names of the weights of a block, inside it."""
    matches = [match for name in state if (match := BLOCK.fullmatch(name))]
    return [match[2] for match in matches if int(match[1]) == block]


def _widened(
    weight: Tensor, new: Tensor, dim: int, found: ModelConfig, wanted: ModelConfig
) -> Tensor:
    """Initial fast weights with more hidden channels; outputs read none of the new."""
    widths = found.fast_hidden_dim, wanted.fast_hidden_dim
    channels = torch.arange(widths[0])
    if found.has_positions:
        channels = wider_channels(*widths)
    wide = torch.zeros_like(new) if dim == -2 else new.clone()
    return wide.to(weight.dtype).index_copy(dim, channels, weight)
