"""Three-vectors as rows of coordinates, and tables looked up for each of them.

A long list of vectors is a tensor of three rows, so that every operation runs along
contiguous memory: several times as fast on CPUs as vectors one after another.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def gather(
    table: Float[Tensor, "row entry"], which: Int[Tensor, "item"]
) -> list[Float[Tensor, "item"]]:
    """Rows of a table at chosen entries."""
    # One row at a time is twice as fast on CPUs as all together.
    return [row.index_select(0, which) for row in table]


def apply(
    matrix: list[Float[Tensor, "item"]], vectors: Float[Tensor, "3 item"]
) -> Float[Tensor, "3 item"]:
    """Each vector multiplied by its matrix, given as nine rows."""
    x, y, z = vectors
    a, b, c, d, e, f, g, h, i = matrix
    return torch.stack(
        [a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z]
    )


def dot(
    left: Float[Tensor, "3 item"], right: Float[Tensor, "3 item"]
) -> Float[Tensor, "item"]:
    """Scalar products."""
    return left[0] * right[0] + left[1] * right[1] + left[2] * right[2]


def unit(vectors: Float[Tensor, "3 item"]) -> Float[Tensor, "3 item"]:
    """Vectors of length 1."""
    # Written out: norms over a short first dimension are slow on CPUs.
    return vectors / dot(vectors, vectors).sqrt().clamp_min(1e-12)
