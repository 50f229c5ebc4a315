"""AdamW, Muon for the matrices, and the running mean of the weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nvs.errors import CheckpointError
from nvs.model import LaCTNetwork
from nvs.train import runtime
from nvs.train.config import TrainConfig
from nvs.train.distributed import Processes
from nvs.train.muon import Muon

BETAS = (0.9, 0.95)
PATCH_MATRICES = ("embedding.weight", "output.weight")


class Optimisers:
    """The optimisers of a run, stepped together.

    With `optimiser="muon"` Muon takes two-dimensional weights of the blocks but the
    learning-rate projection, whose few rows are no hidden layer, and, at a rate of
    their own, the matrices between patches and tokens: most of what a patch shows is
    its mean colour, and AdamW learns little else for long. Initial fast weights, which
    have a dimension for the head, vectors and the densities' network stay with AdamW.
    """

    def __init__(
        self, network: nn.Module, config: TrainConfig, processes: Processes
    ) -> None:
        hidden: list[nn.Parameter] = []
        patch: list[nn.Parameter] = []
        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        with_muon = config.optimiser == "muon"
        for name, parameter in network.named_parameters():
            if with_muon and is_hidden_matrix(name, parameter):
                hidden.append(parameter)
            elif with_muon and name in PATCH_MATRICES:
                patch.append(parameter)
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
        if with_muon:
            self.peaks += [config.muon_learning_rate, config.patch_learning_rate]
            self.all += [
                Muon(
                    parameters,
                    lr=peak,
                    weight_decay=config.weight_decay,
                    orthogonalise_dtype=runtime.dtype(
                        config.newton_schulz_dtype, processes
                    ),
                    together=processes.everyone,
                )
                for parameters, peak in zip(
                    (hidden, patch), self.peaks[1:], strict=True
                )
            ]

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

    def load_state_dict(self, states: Sequence[Mapping[str, Any]]) -> None:
        """Take over states that `state_dict` returned, but no settings.

        Raises:
            CheckpointError: If they are of other optimisers.
        """
        if len(states) != len(self.all):
            raise CheckpointError(
                f"the checkpoint has the states of {len(states)} optimisers, this "
                f"version of the trainer has {len(self.all)}",
                remedy="Begin another run with the weights: export them with the "
                "version that trained them, and give them as --init.",
            )
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
