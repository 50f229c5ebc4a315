from __future__ import annotations

import pytest
import torch

from nvs.model.newton_schulz import (
    COEFFICIENTS,
    NORM_EPSILON,
    _iterate,
    _Iteration,
    orthogonalise,
)


@pytest.mark.parametrize("shape", [(1, 5, 9), (2, 9, 5), (2, 3, 6, 6)])
def test_acts_on_singular_values_alone(shape: tuple[int, ...]) -> None:
    g = torch.randn(shape, dtype=torch.float64)
    u, s, vh = torch.linalg.svd(g, full_matrices=False)
    s = s / (g.norm(dim=(-2, -1)) + NORM_EPSILON)[..., None]
    a, b, c = COEFFICIENTS
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    expected = u @ torch.diag_embed(s) @ vh
    found = orthogonalise(g, num_steps=5, dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_singular_values_end_near_one() -> None:
    g = torch.randn(1, 32, 64)
    found = orthogonalise(g, num_steps=5, dtype=torch.float32)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_transposition_commutes() -> None:
    g = torch.randn(2, 4, 7, dtype=torch.float64)
    found = orthogonalise(g.mT, num_steps=5, dtype=torch.float64)
    torch.testing.assert_close(
        found, orthogonalise(g, num_steps=5, dtype=torch.float64).mT
    )


def test_zero_stays_zero() -> None:
    found = orthogonalise(torch.zeros(1, 3, 4), num_steps=5, dtype=torch.float32)
    assert torch.equal(found, torch.zeros(1, 3, 4))


def test_gradient_is_that_of_autograd() -> None:
    x = torch.randn(3, 4, 7, dtype=torch.float64, requires_grad=True)
    d_following = torch.randn(3, 4, 7, dtype=torch.float64)
    (expected,) = torch.autograd.grad(_iterate(x)[0], x, d_following)
    (found,) = torch.autograd.grad(_Iteration.apply(x), x, d_following)
    torch.testing.assert_close(found, expected)


def test_with_and_without_gradients_alike() -> None:
    g = torch.randn(2, 6, 4)
    plain = orthogonalise(g, num_steps=5, dtype=torch.float32)
    recorded = orthogonalise(g.requires_grad_(), num_steps=5, dtype=torch.float32)
    assert torch.equal(recorded, plain)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_changes_nothing(dtype: torch.dtype, device: str) -> None:
    g = torch.randn(2, 6, 4, device=device, requires_grad=True)
    d_following = torch.randn(2, 6, 4, device=device).to(dtype)
    found = []
    for enabled in (False, True):
        with torch.autocast(device, dtype=torch.bfloat16, enabled=enabled):
            x = orthogonalise(g, num_steps=5, dtype=dtype)
        assert x.dtype == dtype
        found.append((x, *torch.autograd.grad(x, g, d_following)))
    for plain, cast in zip(*found, strict=True):
        assert torch.equal(plain, cast)
