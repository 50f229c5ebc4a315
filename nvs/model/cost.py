"""What a network costs: parameters, operations and memory, computed from its shape.

An operation count is of the matrix products only, two a multiply-add, as
`torch.utils.flop_counter` counts; n is the number of tokens of one view.
"""

from __future__ import annotations

import math

from nvs.config import ModelConfig
from nvs.model import density_net
from nvs.model.density_grid import NUM_CELLS, quarter
from nvs.model.tokens import num_channels, num_outputs

ACTIVATION_COPIES = 3
"""Tensors as wide as the widest layer that are alive at once, measured."""


def num_fast_parameters(config: ModelConfig) -> int:
    """Parameters of the fast weights of all blocks: the size of a scene."""
    hidden = config.fast_hidden_dim if config.fast_network == "swiglu" else None
    width = config.fast_head_dim if hidden is None else hidden
    matrix = config.fast_head_dim * width
    per_head = config.num_fast_matrices * matrix
    return config.num_blocks * config.num_fast_heads * per_head


def bytes_beside(
    config: ModelConfig, *, num_views: int, height: int, width: int
) -> int:
    """Of what a scene has beside fast weights: densities, photographs, distances."""
    density = 2 * NUM_CELLS**3 if config.has_density else 0
    if not config.reprojection:
        return density
    side = quarter(config.patch_size)
    return density + num_views * (3 * height * width + 2 * height * width // side**2)


def num_parameters(config: ModelConfig) -> int:
    """All parameters, the initial fast weights included."""
    dim, heads = config.dim, config.num_fast_heads
    rates = config.num_fast_matrices * heads * (dim + 1)
    if config.update_rule == "momentum":
        rates += heads * (dim + 1)
    attention = 4 * dim**2 + 2 * config.attention_head_dim
    lact = 4 * dim**2 + rates + config.fast_head_dim
    mlp = 2 * config.mlp_hidden_multiplier * dim**2
    norms = 3 * dim
    patch_area = config.patch_size**2
    ends = (num_channels(config) + num_outputs(config)) * patch_area * dim + 2 * dim
    blocks = config.num_blocks * (attention + lact + mlp + norms)
    density = density_net.num_parameters() if config.has_density else 0
    return blocks + ends + density + num_fast_parameters(config)


def num_tokens(config: ModelConfig, height: int, width: int) -> int:
    """Tokens of one view."""
    return (height // config.patch_size) * (width // config.patch_size)


def prefill_flops(
    config: ModelConfig, *, num_views: int, height: int, width: int
) -> int:
    """Operations of a prefill; the last block stops once its weights are known."""
    n = num_tokens(config, height, width)
    dim = config.dim
    fast = num_fast_parameters(config) // config.num_blocks
    swiglu = config.fast_network == "swiglu"
    gradient = 2 * fast * (2 if swiglu else 1)
    write = 2 * 2 * dim**2 + gradient
    write += 2 * dim * config.num_fast_matrices * config.num_fast_heads
    per_token = write * config.num_blocks
    per_token += _attention_per_token(config, n) * config.num_blocks
    per_token += _read_and_mlp_per_token(config) * (config.num_blocks - 1)
    per_token += 2 * num_channels(config) * config.patch_size**2 * dim
    return num_views * n * per_token + prefill_step_flops(config)


def prefill_step_flops(config: ModelConfig) -> int:
    """Those of a prefill's operations that do not depend on the views."""
    return config.num_blocks * _step(config)


def num_matrices(config: ModelConfig) -> int:
    """Fast matrices of a block, each of which has a direction by itself."""
    return config.num_fast_matrices * config.num_fast_heads


def prefill_exchange_bytes(config: ModelConfig, itemsize: int = 2) -> int:
    """What devices that share the views of a scene give to each other, with Muon.

    Args:
        config: The network.
        itemsize: Bytes of a value of a direction; those of a gradient have four.
    """
    return (4 + itemsize) * num_fast_parameters(config)


def render_flops(config: ModelConfig, *, height: int, width: int) -> int:
    """Operations of one rendered view."""
    n = num_tokens(config, height, width)
    per_block = _attention_per_token(config, n) + _read_and_mlp_per_token(config)
    ends = 2 * (num_channels(config) + num_outputs(config))
    ends *= config.patch_size**2 * config.dim
    return n * (config.num_blocks * per_block + ends)


def train_flops(
    config: ModelConfig, *, num_inputs: int, num_targets: int, height: int, width: int
) -> int:
    """Operations of one scene's forward pass and, twice as many, its backward pass.

    Pixels and rays, which the embedding reads, have no gradient.
    """
    n = num_tokens(config, height, width)
    last = n * _read_and_mlp_per_token(config)
    inputs = num_inputs * last
    inputs += prefill_flops(config, num_views=num_inputs, height=height, width=width)
    targets = num_targets * render_flops(config, height=height, width=width)
    embedding = 2 * num_channels(config) * config.patch_size**2 * config.dim
    return 3 * (inputs + targets) - (num_inputs + num_targets) * n * embedding


def activation_bytes_per_view(config: ModelConfig, height: int, width: int) -> int:
    """Working memory of one view in prefill or render, beside the residual stream."""
    widest = max(
        config.mlp_hidden_multiplier,
        4 * config.fast_hidden_multiplier,
        4,
    )
    pixels = height * width * 4 * num_channels(config)
    tokens = num_tokens(config, height, width)
    turns = 0
    if config.has_positions:
        turns = tokens * (config.fast_head_dim + config.fast_hidden_dim) * 4
    return tokens * config.dim * 4 * widest * ACTIVATION_COPIES + 2 * pixels + turns


def residual_bytes_per_view(config: ModelConfig, height: int, width: int) -> int:
    """One view's residual stream and points, which prefill keeps for all views."""
    points = 3 if config.has_positions else 0
    return num_tokens(config, height, width) * (config.dim + points) * 4


def _attention_per_token(config: ModelConfig, n: int) -> int:
    return 2 * 4 * config.dim**2 + 2 * 2 * n * config.dim


def _read_and_mlp_per_token(config: ModelConfig) -> int:
    fast = num_fast_parameters(config) // config.num_blocks
    read = 2 * 2 * config.dim**2 + 2 * fast
    return read + 2 * 2 * config.mlp_hidden_multiplier * config.dim**2


def _step(config: ModelConfig) -> int:
    if config.update_rule != "muon":
        return 0
    width = (
        config.fast_hidden_dim
        if config.fast_network == "swiglu"
        else config.fast_head_dim
    )
    short, long = sorted((config.fast_head_dim, width))
    one = 2 * (2 * short**2 * long + short**3) * config.newton_schulz_steps
    return math.prod((config.num_fast_heads, config.num_fast_matrices, one))
