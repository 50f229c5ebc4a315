"""What of a network each rank computes: tokens, heads, matrices of a step.

Applied from outside to a network that stays as it is. Where it trains, the losses of
the ranks add up to one; the gradient of a weight that all ranks have is then the sum of
theirs, and that of a weight that is split is whole where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nvs.errors import ConfigError
from nvs.model import LaCTNetwork
from nvs.model.fast_weight import FastWeights
from nvs.model.lact import LaCTLayer
from nvs.parallel.group import Group


def split_tokens(network: LaCTNetwork, group: Group) -> None:
    """Have each rank's tokens update the fast weights of all (Alg. 3).

    Every rank then runs the network on its own views; what these add to the gradient of
    the fast weights is summed over the ranks before each step.
    """
    for block in network.layers:
        block.lact.write = _summed(block.lact.write, group)


def _summed(
    write: Callable[..., FastWeights], group: Group
) -> Callable[..., FastWeights]:
    add = _uncompiled(group)
    return lambda *tokens: add(write(*tokens))


def _uncompiled(group: Group) -> Callable[[tuple[Tensor, ...]], tuple[Tensor, ...]]:
    """The sum over ranks, in the middle of blocks that may be compiled."""
    disabled: Any = torch.compiler.disable(group.sum)
    return disabled


def deal_directions(
    group: Group,
) -> Callable[[LaCTLayer, FastWeights], FastWeights]:
    """Have each rank make the directions of some matrices of a block, for all.

    For prefill, which needs no gradient of them. Without Muon there is nothing to make
    of a matrix, and the gradient is summed for all ranks at once.
    """
    if group.size == 1:
        return LaCTLayer.direction

    def direction(lact: LaCTLayer, gradient: FastWeights) -> FastWeights:
        if lact.config.update_rule != "muon":
            return group.sum(gradient)
        return dealt(
            gradient,
            group,
            lambda matrices: lact.direction((matrices,))[0],
            lact.newton_schulz_dtype,
        )

    return direction


def dealt(
    gradient: FastWeights,
    group: Group,
    make: Callable[[Tensor], Tensor],
    dtype: torch.dtype,
) -> FastWeights:
    """What is made of each matrix of a gradient over the views of all ranks.

    Matrices, one a head of each kind, are dealt as evenly as can be. The parts of a
    gradient that the ranks have are added up, in float32 at least, where something is
    made of them; what is made comes back to all.

    Args:
        gradient: Over the views of this rank, (batch, head, ·, ·).
        group: The ranks.
        make: Called with some matrices of a kind, (matrix, ·, ·).
        dtype: Of what it gives, in the same shape.
    """
    summed = [
        g.to(torch.promote_types(g.dtype, torch.float32)).flatten(0, 1).contiguous()
        for g in gradient
    ]
    made = [torch.empty_like(g, dtype=dtype) for g in summed]
    pieces, ranks = _pieces([len(g) for g in summed], group.size)
    group.sum_at([summed[kind][own] for kind, own in pieces], ranks)
    for (kind, own), rank in zip(pieces, ranks, strict=True):
        if rank == group.rank:
            made[kind][own] = make(summed[kind][own])
    group.broadcast([made[kind][own] for kind, own in pieces], ranks)
    return tuple(m.view(g.shape) for m, g in zip(made, gradient, strict=True))


def _pieces(
    counts: list[int], num_ranks: int
) -> tuple[list[tuple[int, slice]], list[int]]:
    """Matrices of each kind dealt to ranks: which of which kind, and to whom."""
    pieces: list[tuple[int, slice]] = []
    ranks: list[int] = []
    for rank in range(num_ranks):
        first, end = (sum(counts) * one // num_ranks for one in (rank, rank + 1))
        for kind, count in enumerate(counts):
            own = slice(min(max(first, 0), count), min(max(end, 0), count))
            first, end = first - count, end - count
            if own.start < own.stop:
                pieces.append((kind, own))
                ranks.append(rank)
    return pieces, ranks


def split_heads(network: LaCTNetwork, group: Group) -> None:
    """Keep this rank's heads of every LaCT layer; all ranks have all tokens (Alg. 4).

    Projections keep the columns of those heads, the output its rows; what the ranks
    then give for a token is summed, once a layer. The fast weights of a rank are those
    of its heads: their gradient and step need no exchange.

    Raises:
        ConfigError: If there are fewer heads than ranks.
    """
    num_heads = network.config.num_fast_heads
    if num_heads < group.size:
        raise ConfigError(
            f"a network with {num_heads} fast head{'s' * (num_heads > 1)} cannot be "
            f"split by heads over {group.size} ranks",
            remedy="Deal its views instead: nvs build --devices, or nvs train "
            "--context-parallel.",
        )
    heads = group.part(num_heads, "heads")
    for block in network.layers:
        _keep_heads(block.lact, heads)
        block.lact.read = _added(block.lact.read, group)


def _added(read: Callable[..., Tensor], group: Group) -> Callable[..., Tensor]:
    add = _uncompiled(group)
    return lambda *tokens: add((read(*tokens),))[0]


def _keep_heads(lact: LaCTLayer, heads: range) -> None:
    """Cut a layer down to some of its heads."""
    own = slice(heads.start, heads.stop)
    num_heads, head_dim = lact.config.num_fast_heads, lact.config.fast_head_dim

    def of_heads(weight: Tensor, *split: int) -> Tensor:
        """A weight whose first dimension is (what, head, channel)."""
        return weight.unflatten(0, split)[:, own].flatten(0, 2)

    _set(lact.qkv, of_heads(lact.qkv.weight, 3, num_heads, head_dim))
    rates, num_matrices = lact.learning_rate, len(lact.initial)
    bias = of_heads(rates.bias, num_matrices, num_heads, 1)
    _set(rates, of_heads(rates.weight, num_matrices, num_heads, 1), bias)
    if lact.config.update_rule == "momentum":
        decay = lact.momentum_decay
        _set(decay, decay.weight[own], decay.bias[own])
    _set(lact.output, of_heads(lact.output.weight.T, 1, num_heads, head_dim).T)
    lact.initial = nn.ParameterList(
        nn.Parameter(weight.detach()[own].clone()) for weight in lact.initial
    )


@torch.no_grad()
def _set(linear: nn.Linear, weight: Tensor, bias: Tensor | None = None) -> None:
    linear.weight = nn.Parameter(weight.contiguous().clone())
    if bias is not None:
        linear.bias = nn.Parameter(bias.contiguous().clone())
    linear.out_features, linear.in_features = weight.shape
