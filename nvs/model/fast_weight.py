"""Fast weights: the gradient, the step and the application of a LaCT layer.

Notation (shapes are (batch, head, token, ·) for tokens, (batch, head, ·, ·) for W):
    k, v, q     keys, values, queries of width head_dim
    lr          learning rates, one a matrix, head and token
    W           (w0, w1, w2) of a SwiGLU network, the paper's (W1, W2, W3):
                w0, w2 of (head_dim, hidden), w1 of (hidden, head_dim);
                or (w,) of a linear one, (head_dim, head_dim)

    R'          with positions, the rotation of hidden vectors (`nvs.model.ray_point`)

    f(x) = (R' (SiLU(x·w0) ∘ (x·w2)))·w1     the fast network (Eq. 6); linear: x·w
    G    = ∇_W Σ lr·⟨f(k), v⟩                 minus the gradient of the loss (Eq. 4, 7)
    W    ← normalise(W + D(G))               the step (Eq. 8; Muon: Eq. 9; Eq. 13, 14)

`gradient` is a sum over tokens: views may be processed in groups, and ranks may each
hold a part, before the one `direction` and `step`. D is of one matrix at a time: ranks
may each make some.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from nvs.config import UpdateRule
from nvs.model.newton_schulz import orthogonalise
from nvs.model.ray_point import Turn

FastWeights: TypeAlias = tuple[Tensor, ...]

NORM_EPSILON = 1e-5


def apply(
    weights: FastWeights,
    x: Float[Tensor, "batch head token dim"],
    hidden_turn: Turn | None = None,
) -> Float[Tensor, "batch head token dim"]:
    """The fast network f(x) (Eq. 5, 6), with R' if it is given."""
    if len(weights) == 1:
        return x @ weights[0]
    w0, w1, w2 = weights
    hidden = F.silu(x @ w0) * (x @ w2)
    return (hidden if hidden_turn is None else hidden_turn.apply(hidden)) @ w1


def gradient(
    weights: FastWeights,
    k: Float[Tensor, "batch head token dim"],
    v: Float[Tensor, "batch head token dim"],
    lr: Float[Tensor, "matrix batch head token 1"],
    hidden_turn: Turn | None = None,
) -> FastWeights:
    """Ascent direction of Σ lr·⟨f(k), v⟩, summed over the given tokens (Eq. 4, 7).

    Each matrix has its own learning rate, which scales only its own gradient. With R'
    the gradient of w1 is taken at the turned hidden vector, and what comes back
    through w1 is turned back.
    """
    if len(weights) == 1:
        return ((k * lr[0]).to(v.dtype).mT @ v,)
    w0, w1, w2 = weights
    gate = k @ w0
    value = k @ w2
    sigmoid = torch.sigmoid(gate)
    silu = gate * sigmoid
    hidden = silu * value
    hidden_grad = v @ w1.mT
    if hidden_turn is not None:
        hidden = hidden_turn.apply(hidden)
        hidden_grad = hidden_turn.back(hidden_grad)
    value_grad = hidden_grad * silu
    gate_grad = hidden_grad * value * torch.addcmul(sigmoid, silu, 1 - sigmoid)
    return (
        (k * lr[0]).to(gate_grad.dtype).mT @ gate_grad,
        (hidden * lr[1]).to(v.dtype).mT @ v,
        (k * lr[2]).to(value_grad.dtype).mT @ value_grad,
    )


def add(left: FastWeights, right: FastWeights) -> FastWeights:
    """Sum of two gradients, matrix by matrix."""
    return tuple(a + b for a, b in zip(left, right, strict=True))


def column_norms(weights: FastWeights) -> FastWeights:
    """Norms along the input dimension, which a step preserves."""
    return tuple(w.norm(dim=-2, keepdim=True) for w in weights)


def direction(
    gradient: FastWeights,
    *,
    rule: UpdateRule,
    newton_schulz_steps: int,
    newton_schulz_dtype: torch.dtype,
) -> FastWeights:
    """D(G), by what one update moves the weights (Eq. 8; with Muon Eq. 9).

    Args:
        gradient: What `gradient` returned, summed over all tokens of the chunk (and
            with `rule="momentum"` already mixed by `momentum`).
        rule: Muon orthogonalises each matrix.
        newton_schulz_steps: Iterations of that orthogonalisation.
        newton_schulz_dtype: Its precision, and that of its result.
    """
    if rule != "muon":
        return gradient
    return tuple(
        orthogonalise(g, num_steps=newton_schulz_steps, dtype=newton_schulz_dtype)
        for g in gradient
    )


def step(
    weights: FastWeights, direction: FastWeights, norms: FastWeights
) -> FastWeights:
    """Weights after one update (Eq. 8).

    Args:
        weights: Weights before it.
        direction: By what they are moved.
        norms: `column_norms` of the weights before *any* update; every column is
            scaled back to it.
    """
    moved = (w + d.to(w.dtype) for w, d in zip(weights, direction, strict=True))
    return tuple(
        w / (w.norm(dim=-2, keepdim=True) + NORM_EPSILON) * norm
        for w, norm in zip(moved, norms, strict=True)
    )


def momentum(
    previous: FastWeights,
    direction: FastWeights,
    decay: Float[Tensor, "batch head 1 1"],
) -> FastWeights:
    """Running direction M ← β·M + G over the chunks of a sequence (Eq. 13, 14)."""
    return tuple(decay * m + g for m, g in zip(previous, direction, strict=True))
