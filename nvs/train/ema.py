"""A running mean of the weights, kept as a second network."""

from __future__ import annotations

import copy

import torch

from nvs.model import LaCTNetwork


class RunningMean:
    """The network whose weights are the mean of another's over its last steps."""

    def __init__(self, network: LaCTNetwork) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, network: LaCTNetwork, decay: float) -> None:
        """Mean ← decay · mean + (1 − decay) · weights."""
        pairs = zip(self.network.parameters(), network.parameters(), strict=True)
        for mean, weight in pairs:
            mean.lerp_(weight, 1 - decay)
