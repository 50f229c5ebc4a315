"""The model of the time: its limits, and that a measurement has all its parts."""

from __future__ import annotations

from typing import Any

import pytest

from nvs.config import ModelConfig, preset
from nvs.model import cost
from nvs.model.checkpoint import random_checkpoint
from nvs.parallel.group import Group
from nvs.parallel.timing import (
    LINKS,
    Link,
    PrefillTime,
    exchange_seconds,
    prefill_time,
)
from nvs.scene import Renderer
from nvs.scene.bench_ranks import bench_ranks
from tests.parallel.ranks import run_ranks, values

CONFIG = preset("lact_l24_d768_ttt4x")
SIZE = {"height": 536, "width": 960, "flops_per_second": 3e14}


def predicted(
    ranks: int, num_views: int = 128, link: Link = LINKS["NVLink 4"]
) -> PrefillTime:
    return prefill_time(CONFIG, num_views=num_views, ranks=ranks, link=link, **SIZE)


def test_one_rank_sends_nothing_and_takes_all_operations() -> None:
    alone = predicted(1)
    assert alone.exchanges == 0
    flops = cost.prefill_flops(CONFIG, num_views=128, height=536, width=960)
    assert alone.total == pytest.approx(flops / 3e14)


def test_views_are_shared_and_matrices_as_far_as_there_are_some() -> None:
    one, eight = predicted(1), predicted(8)
    assert eight.views == pytest.approx(one.views / 8)
    assert eight.steps == pytest.approx(one.steps / 3)
    assert predicted(2).steps == pytest.approx(one.steps * 2 / 3)
    assert predicted(8, num_views=9).views == pytest.approx(
        predicted(1, num_views=9).views * 2 / 9
    )


def test_no_link_carries_more_than_all_bytes_in_two_chains() -> None:
    slow = Link(bytes_per_second=1.0, latency_seconds=0.0)
    assert exchange_seconds(100, 1, ranks=2, link=slow) == 100
    assert exchange_seconds(100, 1, ranks=1000, link=slow) == 100
    late = Link(bytes_per_second=float("inf"), latency_seconds=1.0)
    assert exchange_seconds(100, 24, ranks=4, link=late) == 24 * 6


def test_the_released_scene_network_exchanges_a_gigabyte() -> None:
    assert cost.prefill_exchange_bytes(CONFIG) == 24 * 3 * 768 * 3072 * (4 + 2)
    assert cost.prefill_exchange_bytes(CONFIG) == pytest.approx(1.02e9, rel=0.01)


def test_faster_links_are_never_slower() -> None:
    order = sorted(LINKS.values(), key=lambda link: link.bytes_per_second)
    times = [predicted(16, link=link).exchanges for link in order]
    assert times == sorted(times, reverse=True)


def measured(group: Group) -> dict[str, Any]:
    shape = {"dim": 32, "num_blocks": 3, "attention_head_dim": 16, "fast_head_dim": 32}
    checkpoint = random_checkpoint(ModelConfig(**shape))
    renderer = Renderer(checkpoint, model_id="r", precision="float32", group=group)
    return bench_ranks(renderer, num_views=4, height=32, width=32, repeats=1)


def test_a_measurement_is_consistent() -> None:
    for found in values(run_ranks(2, measured)):
        assert found["ranks"] == 2
        assert found["exchanged_bytes"] == 3 * 3 * 32 * 64 * 8  # both in float32
        assert found["speed_up"] == pytest.approx(2 * found["efficiency"])
        for key in ("step_seconds", "exchange_seconds", "predicted_seconds"):
            assert found[key] > 0
