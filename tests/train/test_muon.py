"""Our Muon against torch's, which orthogonalises in bfloat16."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from nvs.train.muon import Muon, deal

SHAPES = [(8, 8), (24, 8), (8, 32), (8, 8)]


def matrices() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def train(optimiser: torch.optim.Optimizer, num_steps: int) -> None:
    """Steps with gradients that depend on the weights."""
    for _ in range(num_steps):
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                parameter.grad = parameter.detach().sin()
        optimiser.step()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.bfloat16, 1e-5), (torch.float32, 0.02)]
)
def test_equals_torch(dtype: torch.dtype, tolerance: float) -> None:
    ours, theirs = matrices(), matrices()
    train(Muon(ours, lr=0.1, weight_decay=0.05, orthogonalise_dtype=dtype), 3)
    train(torch.optim.Muon(theirs, lr=0.1, weight_decay=0.05), 3)
    for a, b, start in zip(ours, theirs, matrices(), strict=True):
        assert (a - start).abs().max() > 0.05
        torch.testing.assert_close(a, b, atol=tolerance, rtol=0)


def test_matrices_are_dealt_evenly_by_their_cost() -> None:
    shapes = [torch.Size(s) for s in [(64, 64), (8, 8), (64, 64), (64, 128), (8, 8)]]
    assert deal(shapes, 1) == [0] * 5
    owner = deal(shapes, 2)
    load = [
        sum(min(s) ** 2 * max(s) for s, o in zip(shapes, owner, strict=True) if o == r)
        for r in (0, 1)
    ]
    assert max(load) <= 1.1 * min(load)


def test_goes_on_from_its_state() -> None:
    def make(parameters: list[nn.Parameter]) -> Muon:
        return Muon(
            parameters, lr=0.1, weight_decay=0.05, orthogonalise_dtype=torch.float32
        )

    whole = matrices()
    train(make(whole), 4)
    parts = matrices()
    first = make(parts)
    train(first, 2)
    second = make(parts)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    train(second, 2)
    for a, b in zip(parts, whole, strict=True):
        assert torch.equal(a, b)


def test_matrix_without_gradient_stays() -> None:
    used, unused = matrices()[:2]
    optimiser = Muon(
        [used, unused], lr=0.1, weight_decay=0.05, orthogonalise_dtype=torch.float32
    )
    before = unused.detach().clone()
    used.grad = torch.ones_like(used)
    optimiser.step()
    assert torch.equal(unused, before)
