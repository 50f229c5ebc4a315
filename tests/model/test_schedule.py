"""Each schedule against its mask (Figure 3 a to d), by perturbing tokens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from nvs.config import ModelConfig
from nvs.model import schedule
from nvs.model.lact import LaCTLayer
from nvs.model.network import LaCTNetwork

TOKENS, CHUNK = 12, 3


def lact_layer(**changes: object) -> LaCTLayer:
    config = ModelConfig(
        dim=8, num_blocks=1, attention_head_dim=4, fast_head_dim=4, **changes
    )
    layer = LaCTNetwork(config).blocks[0].lact
    layer.newton_schulz_dtype = torch.float32
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


@pytest.mark.parametrize("rule", ["muon", "momentum", "gradient_descent"])
@pytest.mark.parametrize(
    ("made", "sees"),
    [
        (schedule.full(TOKENS), lambda reader, writer: True),
        (
            schedule.block_causal(TOKENS, CHUNK),
            lambda reader, writer: writer <= reader,
        ),
        (schedule.shifted(TOKENS, CHUNK), lambda reader, writer: writer < reader),
        (
            schedule.strided(TOKENS, CHUNK),
            lambda reader, writer: writer <= reader and writer % 2 == 0,
        ),
        (
            schedule.inputs_then_all(2 * CHUNK, TOKENS),
            lambda reader, writer: writer < 2,
        ),
    ],
    ids=["full", "block_causal", "shifted", "strided", "inputs_then_all"],
)
@torch.no_grad()
def test_mask(
    made: schedule.Schedule, sees: Callable[[int, int], bool], rule: str
) -> None:
    layer = lact_layer(update_rule=rule)
    x = torch.randn(1, TOKENS, 8)
    base, _ = layer(x, made)
    for writer in range(TOKENS // CHUNK):
        changed = x.clone()
        changed[:, writer * CHUNK : (writer + 1) * CHUNK] = torch.randn(1, CHUNK, 8)
        out, _ = layer(changed, made)
        moved = (out - base).abs().amax(dim=-1)[0].reshape(-1, CHUNK).amax(dim=1)
        for reader, amount in enumerate(moved.tolist()):
            if reader != writer:
                assert (amount > 1e-6) == sees(reader, writer), (reader, writer)


@torch.no_grad()
def test_a_token_sees_its_own_chunk_in_block_causal_and_not_in_shifted() -> None:
    layer = lact_layer()
    x = torch.randn(1, TOKENS, 8)
    changed = x.clone()
    changed[:, 4] += 1.0
    for made, seen in (
        (schedule.block_causal(TOKENS, CHUNK), True),
        (schedule.shifted(TOKENS, CHUNK), False),
    ):
        moved = (layer(changed, made)[0] - layer(x, made)[0])[0, 3].abs().max()
        assert bool(moved > 1e-6) == seen


def test_ragged_last_chunk_is_covered() -> None:
    made = schedule.block_causal(10, 4)
    assert [(step.start, step.end) for step in made] == [(0, 4), (4, 8), (8, 10)]
