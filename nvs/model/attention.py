"""Attention inside windows, by what is fastest for their size, type and device.

Notation (shapes are (window, token, ·), a head of a view being a window of its own):
    q, k, v     queries (already scaled), keys, values
    P           softmax(q kᵀ), rows of weights
    o           P v

    dv = Pᵀ do,    dS = P ∘ (do vᵀ − rowsum(P ∘ do vᵀ)),    dq = dS k,    dk = dSᵀ q

A processor that multiplies in bfloat16 does so fastest in whole products, while the
scores of a few windows stay in its caches: `attend_in_pieces` takes that many at a time
and keeps no scores for the gradient. Elsewhere torch's fused kernel is faster.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MOST_PIECE_TOKENS = 2048
"""Most tokens a window for which whole products are faster, measured."""
PIECE_SCORES = 2**21
"""Scores computed at once; two windows at least, which torch multiplies faster."""


def attend(
    q: Float[Tensor, "batch head token dim"],
    k: Float[Tensor, "batch head token dim"],
    v: Float[Tensor, "batch head token dim"],
) -> Float[Tensor, "batch head token dim"]:
    """Scaled dot-product attention."""
    suits = q.device.type == "cpu" and q.dtype == torch.bfloat16
    if not suits or q.shape[-2] > MOST_PIECE_TOKENS:
        return F.scaled_dot_product_attention(q, k, v)
    scaled = q * q.shape[-1] ** -0.5
    flat = [t.flatten(0, 1) for t in (scaled, k, v)]
    is_alone = not (torch.compiler.is_compiling() or _needs_gradients(flat))
    in_pieces = _in_pieces if is_alone else attend_in_pieces
    return in_pieces(*flat).unflatten(0, q.shape[:2])


def _needs_gradients(tensors: list[Tensor]) -> bool:
    return torch.is_grad_enabled() and any(t.requires_grad for t in tensors)


def _in_pieces(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention with queries that are scaled."""
    out = torch.empty_like(v)
    for piece in _pieces(q):
        out[piece] = _weights(q[piece], k[piece]) @ v[piece]
    return out


attend_in_pieces = torch.library.custom_op(
    "nvs::attend_in_pieces",
    _in_pieces,
    mutates_args=(),
    schema="(Tensor q, Tensor k, Tensor v) -> Tensor",
)
"""The same with gradients, and one operation to compilers, which its call loads."""


@attend_in_pieces.register_fake
def _(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.empty_like(v)


@torch.library.custom_op(
    "nvs::attend_in_pieces_backward",
    mutates_args=(),
    schema="(Tensor q, Tensor k, Tensor v, Tensor do) -> (Tensor, Tensor, Tensor)",
)
def _backward(
    q: Tensor, k: Tensor, v: Tensor, do: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """dq, dk and dv; the scores are computed again."""
    grads = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    for piece in _pieces(q):
        weights = _weights(q[piece], k[piece])
        score_grad = torch.ops.aten._softmax_backward_data(
            do[piece] @ v[piece].mT, weights, -1, weights.dtype
        )
        grads[0][piece] = score_grad @ k[piece]
        grads[1][piece] = score_grad.mT @ q[piece]
        grads[2][piece] = weights.mT @ do[piece]
    return grads


@_backward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, do: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def _setup(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, do: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return _backward(*ctx.saved_tensors, do)


attend_in_pieces.register_autograd(_gradients, setup_context=_setup)


def _weights(q: Tensor, k: Tensor) -> Tensor:
    return torch.softmax(q @ k.mT, dim=-1)


def _pieces(q: Tensor) -> list[slice]:
    """Ranges of windows whose scores fit."""
    num_windows, num_tokens = q.shape[:2]
    count = max(2, PIECE_SCORES // num_tokens**2)
    return [slice(start, start + count) for start in range(0, num_windows, count)]
