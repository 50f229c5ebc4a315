from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nvs.model import fast_weight
from nvs.model.ray_point import Turn

Parts = tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]


def parts(kind: str) -> Parts:
    batch, head, token, dim, hidden = 2, 3, 7, 4, 6
    shapes = (
        [(dim, hidden), (hidden, dim), (dim, hidden)]
        if kind == "swiglu"
        else [(dim, dim)]
    )
    weights = tuple(
        torch.randn(batch, head, *shape, dtype=torch.float64) for shape in shapes
    )
    k = torch.randn(batch, head, token, dim, dtype=torch.float64)
    v = torch.randn(batch, head, token, dim, dtype=torch.float64)
    lr = torch.rand(len(shapes), batch, head, token, 1, dtype=torch.float64)
    return weights, k, v, lr


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["swiglu", "linear"])
def test_gradient_equals_autograd(kind: str, turned: bool) -> None:
    weights, k, v, lr = parts(kind)
    angle = 3 * torch.randn(2, 1, 7, 3, dtype=torch.float64)
    turn = Turn(angle.cos(), angle.sin()) if turned else None
    found = fast_weight.gradient(weights, k, v, lr, turn)
    for number, weight in enumerate(weights):
        leaf = weight.clone().requires_grad_()
        changed = (*weights[:number], leaf, *weights[number + 1 :])
        objective = (lr[number] * fast_weight.apply(changed, k, turn) * v).sum()
        (expected,) = torch.autograd.grad(objective, leaf)
        assert (found[number] - expected).abs().max() <= 1e-10


@pytest.mark.parametrize("kind", ["swiglu", "linear"])
def test_gradient_is_a_sum_over_tokens(kind: str) -> None:
    weights, k, v, lr = parts(kind)
    whole = fast_weight.gradient(weights, k, v, lr)
    first = fast_weight.gradient(weights, k[:, :, :3], v[:, :, :3], lr[..., :3, :])
    rest = fast_weight.gradient(weights, k[:, :, 3:], v[:, :, 3:], lr[..., 3:, :])
    for a, b in zip(whole, fast_weight.add(first, rest), strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=0)


def step(weights: FastWeights, gradient: FastWeights, rule: str) -> FastWeights:
    """Weights after one update by a rule."""
    direction = fast_weight.direction(
        gradient, rule=rule, newton_schulz_steps=5, newton_schulz_dtype=torch.float64
    )
    return fast_weight.step(weights, direction, fast_weight.column_norms(weights))


@pytest.mark.parametrize("rule", ["gradient_descent", "momentum", "muon"])
def test_step_preserves_column_norms(rule: str) -> None:
    weights, k, v, lr = parts("swiglu")
    norms = fast_weight.column_norms(weights)
    stepped = step(weights, fast_weight.gradient(weights, k, v, lr), rule)
    for after, before in zip(fast_weight.column_norms(stepped), norms, strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=0)


def test_muon_ignores_the_scale_of_the_gradient_and_descent_does_not() -> None:
    weights, k, v, lr = parts("swiglu")
    direction = fast_weight.gradient(weights, k, v, lr)
    doubled = tuple(2 * g for g in direction)

    def stepped(g: tuple[Tensor, ...], rule: str) -> Tensor:
        return step(weights, g, rule)[0]

    torch.testing.assert_close(
        stepped(direction, "muon"), stepped(doubled, "muon"), rtol=1e-5, atol=1e-6
    )
    change = stepped(direction, "momentum") - stepped(doubled, "momentum")
    assert change.abs().max() > 1e-3


def test_momentum_decays_the_past() -> None:
    past, now = (torch.ones(1, 2, 3, 3),), (torch.full((1, 2, 3, 3), 5.0),)
    decay = torch.tensor([0.0, 0.5]).reshape(1, 2, 1, 1)
    (mixed,) = fast_weight.momentum(past, now, decay)
    assert torch.equal(mixed[0, 0], torch.full((3, 3), 5.0))
    assert torch.equal(mixed[0, 1], torch.full((3, 3), 5.5))


def test_a_step_raises_the_objective() -> None:
    weights, k, v, lr = parts("swiglu")
    k = k / k.norm(dim=-1, keepdim=True)
    small = fast_weight.gradient(weights, k, v, lr * 0.01)
    stepped = step(weights, small, "gradient_descent")
    before = (fast_weight.apply(weights, k) * v).sum()
    assert (fast_weight.apply(stepped, k) * v).sum() > before
