"""Muon as `torch.optim.Muon` has it, in a precision that the processor is fast in.

torch orthogonalises in bfloat16 whatever the device, one matrix after another; most
CPUs only emulate bfloat16, and the step then takes longer than the backward pass of a
small batch. Here the precision is given, and matrices of one shape go together.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from nvs.model.newton_schulz import orthogonalise


class Muon(torch.optim.Muon):
    """Muon, with checkpoints that `torch.optim.Muon` reads.

    Args:
        parameters: Matrices.
        lr: Learning rate, times √(rows / columns) where there are more rows.
        weight_decay: Decoupled decay, a share of `lr`.
        orthogonalise_dtype: Precision of the Newton–Schulz iteration.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float,
        orthogonalise_dtype: torch.dtype,
    ) -> None:
        super().__init__(parameters, lr=lr, weight_decay=weight_decay)
        self.orthogonalise_dtype = orthogonalise_dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update every matrix from its gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():
                self._update(parameters, group)
        return loss

    def _update(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        """Update matrices of one shape."""
        rows, columns = parameters[0].shape
        directions = orthogonalise(
            torch.stack([self._direction(p, group["momentum"]) for p in parameters]),
            num_steps=group["ns_steps"],
            dtype=self.orthogonalise_dtype,
        )
        rate = group["lr"] * math.sqrt(max(1, rows / columns))
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(direction, alpha=-rate)

    def _direction(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """The gradient with Nesterov's momentum."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter.grad)
        running = state["momentum_buffer"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(running, momentum)
