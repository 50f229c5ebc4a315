"""AdamW, and Muon for the matrices inside the blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from nvs.scene.precision import DTYPES
from nvs.train.config import TrainConfig
from nvs.train.muon import Muon

BETAS = (0.9, 0.95)


class Optimisers:
    """The optimisers of a run, stepped together.

    Muon takes two-dimensional weights of the blocks but the learning-rate projection,
    whose few rows are no hidden layer. Initial fast weights, which have a dimension for
    the head, and everything outside the blocks stay with AdamW.
    """

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        hidden: list[nn.Parameter] = []
        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        for name, parameter in network.named_parameters():
            if config.optimiser == "muon" and is_hidden_matrix(name, parameter):
                hidden.append(parameter)
            elif parameter.ndim >= 2:
                matrices.append(parameter)
            else:
                vectors.append(parameter)
        adamw = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
            betas=BETAS,
            fused=matrices[0].is_cuda,
        )
        self.all: list[torch.optim.Optimizer] = [adamw]
        self.peaks = [config.learning_rate]
        if hidden:
            muon = Muon(
                hidden,
                lr=config.muon_learning_rate,
                weight_decay=config.weight_decay,
                orthogonalise_dtype=DTYPES[config.newton_schulz_dtype],
            )
            self.all.append(muon)
            self.peaks.append(config.muon_learning_rate)

    def set_factor(self, factor: float) -> None:
        """Scale every peak learning rate."""
        for optimiser, peak in zip(self.all, self.peaks, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = peak * factor

    def step(self) -> None:
        """Update every weight from its gradient."""
        for optimiser in self.all:
            optimiser.step()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for optimiser in self.all:
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """The state of each optimiser."""
        return [optimiser.state_dict() for optimiser in self.all]

    def load_state_dict(self, states: Iterable[Mapping[str, Any]]) -> None:
        """Take over states that `state_dict` returned, but no settings."""
        for optimiser, state in zip(self.all, states, strict=True):
            groups = [
                {**group, "params": saved["params"]}
                for group, saved in zip(
                    optimiser.state_dict()["param_groups"],
                    state["param_groups"],
                    strict=True,
                )
            ]
            optimiser.load_state_dict({**state, "param_groups": groups})


def is_hidden_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon updates this weight."""
    return (
        name.startswith("blocks.")
        and parameter.ndim == 2
        and not name.endswith(".learning_rate.weight")
    )
