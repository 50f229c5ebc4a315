"""Orthogonalisation by Newton–Schulz iteration, the core of the Muon update (Eq. 9).

Notation:
    g       gradients, (batch, …, rows, columns)
    x       the iterate; its singular values are driven towards 1
    s, p    the symmetric s = x·xᵀ and p = b·s + c·s²
    x ← a·x + p·x
    d∙      the gradient of the loss with respect to ∙

Identity that checks it: for g = U·S·Vᵀ the result is U·p(S)·Vᵀ, where p is five rounds
of a·s + b·s³ + c·s⁵ on the singular values divided by the Frobenius norm.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NORM_EPSILON = 1e-7


def orthogonalise(
    g: Float[Tensor, "batch *more rows columns"], *, num_steps: int, dtype: torch.dtype
) -> Float[Tensor, "batch *more rows columns"]:
    """Move the singular values of each matrix close to 1.

    Args:
        g: Matrices of any shape; the iteration runs with the short side first.
        num_steps: Number of iterations.
        dtype: Precision of the iteration, whatever autocast says; bfloat16 as
            released, or float32.

    Returns:
        Matrices of the shape of `g`, in `dtype`.
    """
    transposed = g.shape[-2] > g.shape[-1]
    with torch.autocast(g.device.type, enabled=False):
        x = (g.mT if transposed else g).to(dtype).flatten(0, -3)
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + NORM_EPSILON)
        for _ in range(num_steps):
            x = _Iteration.apply(x) if x.requires_grad else _iterate(x)[0]
    x = x.unflatten(0, g.shape[:-2])
    return x.mT if transposed else x


def _iterate(
    x: Float[Tensor, "batch rows columns"],
) -> tuple[Tensor, Tensor, Tensor]:
    """The next iterate, s and p."""
    a, b, c = COEFFICIENTS
    s = x @ x.mT
    p = torch.baddbmm(s, s, s, beta=b, alpha=c)
    return torch.baddbmm(x, p, x, beta=a), s, p


class _Iteration(torch.autograd.Function):
    """One iteration whose gradient uses that s and p are symmetric.

    With m = dx'·xᵀ + x·dx'ᵀ, which is dp made symmetric,

        dx = a·dx' + p·dx' + (b·m + c·(m·s + s·m))·x

    takes four products, where autograd takes six.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        following, s, p = _iterate(x)
        ctx.save_for_backward(x, s, p)
        return following

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_following: Tensor) -> Tensor:  # type: ignore[override]
        x, s, p = ctx.saved_tensors
        a, b, c = COEFFICIENTS
        dp = d_following @ x.mT
        m = dp + dp.mT
        ms = m @ s
        ds = torch.add(b * m, ms + ms.mT, alpha=c)
        dx = torch.baddbmm(d_following, p, d_following, beta=a)
        return torch.baddbmm(dx, ds, x)
