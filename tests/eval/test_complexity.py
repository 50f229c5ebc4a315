"""What prefill costs: operations counted, laws fitted, times taken."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nvs.config import ModelConfig
from nvs.errors import ConfigError
from nvs.model import LaCTNetwork
from nvs_eval.complexity import (
    CostRow,
    CostSettings,
    exponents,
    fitted_exponent,
    measure,
)
from nvs_eval.methods.attention import AttentionNetwork

CONFIG = ModelConfig(dim=32, num_blocks=4, attention_head_dim=16, fast_head_dim=32)


def count_flops(work) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops()


@torch.no_grad()
def test_operations_of_a_prefill_are_linear_or_quadratic_in_views() -> None:
    counts = (4, 8, 12)
    second_difference = {}
    for kind in ("lact", "full_attention", "register"):
        network = (
            LaCTNetwork(CONFIG)
            if kind == "lact"
            else AttentionNetwork(CONFIG, kind, num_registers=8)
        )
        flops = [
            count_flops(
                lambda n=n, f=network.prefill: f(
                    torch.rand(1, n, 9, 16, 24), torch.rand(1, n, 3, 16, 24)
                )
            )
            for n in counts
        ]
        second_difference[kind] = flops[2] - 2 * flops[1] + flops[0]
    pairs = 2 * (6 * 4) ** 2  # of tokens: 6 a view, 4 views a step
    assert second_difference["lact"] == 0
    assert second_difference["full_attention"] == 3 * 4 * 32 * pairs
    assert second_difference["register"] == 2 * 4 * 32 * pairs


def test_exponents_of_known_laws() -> None:
    counts = [4, 8, 16, 32]
    assert fitted_exponent(counts, [n**2 for n in counts]) == pytest.approx(2)
    assert fitted_exponent(counts, [7.0] * 4) == pytest.approx(0)
    assert 1 < fitted_exponent(counts, [n**2 + 20 * n for n in counts]) < 2


def cost_settings(**values) -> CostSettings:
    sizes = {"height": 16, "width": 16, "num_registers": 8, "device": "cpu"}
    return CostSettings(**{"view_counts": (2, 4), "repeats": 1, **sizes, **values})


def test_state_grows_with_views_for_full_attention_only() -> None:
    seen: list[CostRow] = []
    rows = measure(CONFIG, cost_settings(clock="cpu", repeats=2), report=seen.append)
    assert rows == seen
    state = {fit.network: fit.state for fit in exponents(rows)}
    assert state["full_attention"] == pytest.approx(1)
    assert state["lact"] == pytest.approx(0)
    assert state["register"] == pytest.approx(0)
    full = next(row for row in rows if row.network == "full_attention")
    assert full.state_bytes == 4 * (2 * 4) * 2 * 32 * 4  # blocks, tokens, k and v
    assert full.prefill_noise >= 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"view_counts": (4,)}, "view counts are"),
        ({"repeats": 0}, "repeats 0"),
        ({"networks": ("mamba",)}, "no network 'mamba'"),
        ({"clock": "sun"}, "the clock 'sun' cannot time cpu"),
    ],
)
def test_costs_that_cannot_be_measured(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        cost_settings(**values)
