"""Which optimiser has which weight, and what decays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from nvs.errors import CheckpointError
from nvs.train.config import TrainConfig
from nvs.train.distributed import Processes
from nvs.train.optimisers import Optimisers
from nvs.train.runtime import build_network

ALONE = Processes.alone(torch.device("cpu"))
MakeConfig = Callable[..., TrainConfig]


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_every_weight_has_one_optimiser(
    make_config: MakeConfig, optimiser: str
) -> None:
    config = make_config(optimiser=optimiser)
    network = build_network(config)
    held = [
        id(parameter)
        for each in Optimisers(network, config, ALONE).all
        for group in each.param_groups
        for parameter in group["params"]
    ]
    assert sorted(held) == sorted(id(p) for p in network.parameters())


def test_muon_has_the_matrices(make_config: MakeConfig) -> None:
    config = make_config(optimiser="muon")
    network = build_network(config)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    held, patch = (
        {names[id(p)] for group in muon.param_groups for p in group["params"]}
        for muon in Optimisers(network, config, ALONE).all[1:]
    )
    parts = ("attention.qkv", "attention.output", "lact.qkv", "lact.output")
    parts += ("mlp.expand", "mlp.output")
    assert held == {f"blocks.{b}.{part}.weight" for b in range(2) for part in parts}
    assert patch == {"embedding.weight", "output.weight"}


def test_every_optimiser_has_its_rate(make_config: MakeConfig) -> None:
    config = make_config(
        optimiser="muon",
        learning_rate=0.1,
        muon_learning_rate=0.2,
        patch_learning_rate=0.4,
    )
    optimisers = Optimisers(build_network(config), config, ALONE)
    optimisers.set_factor(0.5)
    rates = [each.param_groups[0]["lr"] for each in optimisers.all]
    assert rates == pytest.approx([0.05, 0.1, 0.2])


def test_states_of_other_optimisers_are_refused(make_config: MakeConfig) -> None:
    network = build_network(make_config())
    fewer = Optimisers(network, make_config(optimiser="adamw"), ALONE)
    optimisers = Optimisers(network, make_config(optimiser="muon"), ALONE)
    with pytest.raises(CheckpointError, match=r"has the states of 1 optimisers"):
        optimisers.load_state_dict(fewer.state_dict())


def test_a_state_brings_no_settings(make_config: MakeConfig) -> None:
    network = build_network(make_config())
    before = Optimisers(network, make_config(weight_decay=0.1), ALONE)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    before.step()
    after = Optimisers(network, make_config(weight_decay=0.5), ALONE)
    after.load_state_dict(before.state_dict())
    for one, other in zip(before.all, after.all, strict=True):
        assert len(one.state) == len(other.state) > 0
        assert other.param_groups[0]["weight_decay"] == 0.5


def test_only_matrices_decay(make_config: MakeConfig) -> None:
    config = make_config(optimiser="adamw", weight_decay=0.5, learning_rate=0.1)
    network = build_network(config)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimisers = Optimisers(network, config, ALONE)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimisers.set_factor(0.5)
    optimisers.step()
    for name, parameter in network.named_parameters():
        kept = 1 - 0.05 * 0.5 if parameter.ndim >= 2 else 1.0
        torch.testing.assert_close(parameter.detach(), before[name] * kept)
