"""Prefill with bounded memory: layer by layer, over groups of views.

The gradient of the fast weights is a sum over tokens, so each block needs two passes
over its groups: one that attends and sums the gradient, and after the one step a second
that reads, transforms and hands over to the next block. Memory is the residual stream
of all views plus the activations of one group. A network with positions also keeps the
point of every token, from which a group's rotations are made when they are needed.

Devices that share the views of a scene each do this with their own views, and add up
their gradients before the step (Alg. 3), whose direction they make together.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.model import fast_weight
from nvs.model.fast_weight import FastWeights
from nvs.model.lact import LaCTLayer
from nvs.model.network import LaCTNetwork
from nvs.model.ray_point import Turns

Embedded: TypeAlias = tuple[
    Float[Tensor, "batch group token dim"], Float[Tensor, "batch group token 3"] | None
]
Progress = Callable[[int, int], None]
Direction = Callable[[LaCTLayer, FastWeights], FastWeights]


@torch.no_grad()
def prefill_in_groups(
    network: LaCTNetwork,
    embed_group: Callable[[slice], Embedded],
    *,
    num_views: int,
    group_size: int,
    direction: Direction = LaCTLayer.direction,
    progress: Progress | None = None,
) -> Iterator[FastWeights]:
    """Fast weights of one block after another.

    Args:
        network: The network; its parameters' device does the work.
        embed_group: Returns the embedded tokens of a slice of the views and what
            `network.points` says of them; asked once for each, in order.
        num_views: Number of input views on this device.
        group_size: Views processed at once; changes the result by rounding only.
        direction: Makes of a block's gradient over the views of this device by what
            that over all views moves its fast weights; called once a block.
        progress: Called with (groups done, groups in all) after each group's pass.

    Yields:
        The fast weights of each block, (batch, head, ·, ·).
    """
    groups = [
        slice(start, min(start + group_size, num_views))
        for start in range(0, num_views, group_size)
    ]
    num_passes = len(groups) * 2 * len(network.layers)
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, num_passes)

    stream: list[Tensor] = []
    points: list[Tensor | None] = []
    for group in groups:
        tokens, group_points = embed_group(group)
        points.append(group_points)
        stream.append(tokens.clone())  # changed in place, which keeps memory in place
        count()

    @functools.lru_cache(maxsize=1)
    def turns(number: int) -> Turns | None:
        return network.turns(points[number])

    for index, block in enumerate(network.layers):
        initial = block.lact.initial_weights(stream[0].shape[0])
        gradient: FastWeights | None = None
        for number, tokens in enumerate(stream):
            tokens.copy_(block.attend(tokens))
            part = block.write(tokens, initial, turns(number))
            gradient = part if gradient is None else fast_weight.add(gradient, part)
            count()
        assert gradient is not None, "there is at least one group"
        weights = block.lact.step(initial, direction(block.lact, gradient))
        yield weights
        if index + 1 == len(network.layers):
            break
        for number, tokens in enumerate(stream):
            tokens.copy_(block.finish(tokens, weights, turns(number)))
            count()
