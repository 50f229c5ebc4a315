"""Orthogonalisation by Newton–Schulz iteration, the core of the Muon update (Eq. 9).

Notation:
    g       gradients, (batch, …, rows, columns)
    x       the iterate; its singular values are driven towards 1
    x ← a·x + (b·x·xᵀ + c·(x·xᵀ)²)·x

Identity that checks it: for g = U·S·Vᵀ the result is U·p(S)·Vᵀ, where p is five rounds
of a·s + b·s³ + c·s⁵ on the singular values divided by the Frobenius norm.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NORM_EPSILON = 1e-7


def orthogonalise(
    g: Float[Tensor, "batch *more rows columns"], *, num_steps: int, dtype: torch.dtype
) -> Float[Tensor, "batch *more rows columns"]:
    """Move the singular values of each matrix close to 1.

    Args:
        g: Matrices of any shape; the iteration runs with the short side first.
        num_steps: Number of iterations.
        dtype: Precision of the iteration; bfloat16 as released, or float32.

    Returns:
        Matrices of the shape of `g`, in `dtype`.
    """
    a, b, c = COEFFICIENTS
    transposed = g.shape[-2] > g.shape[-1]
    x = (g.mT if transposed else g).to(dtype).flatten(0, -3)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + NORM_EPSILON)
    for _ in range(num_steps):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    x = x.unflatten(0, g.shape[:-2])
    return x.mT if transposed else x
