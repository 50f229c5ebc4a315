"""Attention in pieces against the definition: outputs, gradients, as one operation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nvs.model import attention
from nvs.model.attention import attend, attend_in_pieces

HEADS, DIM = 3, 16


def _drawn(num_views: int, num_tokens: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (num_views, HEADS, num_tokens, DIM)
    return [torch.randn(shape, generator=generator).to(dtype) for _ in range(4)]


def _with_gradients(drawn: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    q, k, v = (t.to(dtype).requires_grad_() for t in drawn[:3])
    out = attend(q, k, v)
    return [out, *torch.autograd.grad(out, [q, k, v], drawn[3].to(dtype))]


@pytest.mark.parametrize(("num_views", "num_tokens"), [(1, 7), (5, 64), (2, 300)])
def test_bfloat16_is_the_definition_but_for_rounding(
    num_views: int, num_tokens: int
) -> None:
    drawn = _drawn(num_views, num_tokens, torch.bfloat16)
    pieces = _with_gradients(drawn, torch.bfloat16)
    definition = _with_gradients(drawn, torch.float64)
    for got, wanted in zip(pieces, definition, strict=True):
        assert (got.double() - wanted).abs().mean() < 0.02 * wanted.abs().mean()


def test_gradients_are_those_of_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "PIECE_SCORES", 1)
    drawn = [t.flatten(0, 1) for t in _drawn(3, 5, torch.float64)]
    inputs = [t.requires_grad_() for t in drawn[:3]]
    assert torch.autograd.gradcheck(attend_in_pieces, inputs)


def test_windows_do_not_see_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v, _ = _drawn(4, 20, torch.bfloat16)
    together = attend(q, k, v)
    monkeypatch.setattr(attention, "PIECE_SCORES", 1)
    apart = [attend(q[i : i + 1], k[i : i + 1], v[i : i + 1]) for i in range(4)]
    assert torch.equal(together, torch.cat(apart))


def test_float32_and_large_windows_go_to_the_fused_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Tensor) -> Tensor:
        raise AssertionError("taken in pieces")

    monkeypatch.setattr(attention, "_pieces", refused)
    q, k, v, _ = _drawn(1, 9, torch.float32)
    assert torch.equal(attend(q, k, v), F.scaled_dot_product_attention(q, k, v))
    monkeypatch.setattr(attention, "MOST_PIECE_TOKENS", 8)
    attend(*(t.bfloat16() for t in (q, k, v)))


def test_the_operation_is_a_proper_one() -> None:
    inputs = [t.flatten(0, 1).requires_grad_() for t in _drawn(2, 6, torch.bfloat16)]
    torch.library.opcheck(attend_in_pieces, inputs[:3])
