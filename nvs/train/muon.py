"""Muon as `torch.optim.Muon` has it, in any precision, dealt to the processes.

torch orthogonalises in bfloat16 whatever the device, one matrix after another, the same
on every process. Here the precision is given, matrices of one shape go together, and
each process orthogonalises its share of them, so that small steps stay cheap.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from nvs.model.newton_schulz import orthogonalise
from nvs.parallel.group import Group


class Muon(torch.optim.Muon):
    """Muon, with checkpoints that `torch.optim.Muon` reads.

    Gradients must be the same on all processes, as after an all-reduce.

    Args:
        parameters: Matrices.
        lr: Learning rate, times √(rows / columns) where there are more rows.
        weight_decay: Decoupled decay, a share of `lr`.
        orthogonalise_dtype: Precision of the Newton–Schulz iteration.
        together: The ranks that step together; this one alone if absent.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float,
        orthogonalise_dtype: torch.dtype,
        together: Group | None = None,
    ) -> None:
        super().__init__(parameters, lr=lr, weight_decay=weight_decay)
        self.orthogonalise_dtype = orthogonalise_dtype
        self.together = together or Group.alone(torch.device("cpu"))

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every matrix from its gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            directions = self._orthogonalised(
                [self._direction(p, group["momentum"]) for p in parameters],
                group["ns_steps"],
            )
            for parameter, direction in zip(parameters, directions, strict=True):
                rows, columns = parameter.shape
                rate = group["lr"] * math.sqrt(max(1, rows / columns))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(direction, alpha=-rate)
        return loss

    def _orthogonalised(self, directions: list[Tensor], num_steps: int) -> list[Tensor]:
        """All of them, each made by one process."""
        owner = deal([d.shape for d in directions], self.together.size)
        made: list[Tensor] = [
            torch.empty_like(d, dtype=self.orthogonalise_dtype) for d in directions
        ]
        by_shape: dict[torch.Size, list[int]] = defaultdict(list)
        for index, direction in enumerate(directions):
            if owner[index] == self.together.rank:
                by_shape[direction.shape].append(index)
        for indices in by_shape.values():
            together = orthogonalise(
                torch.stack([directions[index] for index in indices]),
                num_steps=num_steps,
                dtype=self.orthogonalise_dtype,
            )
            for index, one in zip(indices, together, strict=True):
                made[index].copy_(one)
        if self.together.size > 1:
            self._exchange(made, owner)
        return made

    def _exchange(self, made: list[Tensor], owner: list[int]) -> None:
        """Send every process's share to the others, in one message each."""
        for rank in range(self.together.size):
            share = [one for one, of in zip(made, owner, strict=True) if of == rank]
            if not share:
                continue
            bucket = torch.cat([one.flatten() for one in share])
            self.together.broadcast([bucket], [rank])
            parts = bucket.split([one.numel() for one in share])
            for one, part in zip(share, parts, strict=True):
                one.copy_(part.view_as(one))

    def _direction(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """The gradient with Nesterov's momentum."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter.grad)
        running = state["momentum_buffer"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(running, momentum)


def deal(shapes: list[torch.Size], world: int) -> list[int]:
    """Which process orthogonalises each matrix: the largest first, to the idlest."""
    load = [0] * world
    owner = [0] * len(shapes)
    cost = [min(s) ** 2 * max(s) for s in shapes]
    for index in sorted(range(len(shapes)), key=lambda i: -cost[i]):
        owner[index] = load.index(min(load))
        load[owner[index]] += cost[index]
    return owner
