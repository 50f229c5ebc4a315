"""Laws of the schedules, and of the clock they run by."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from nvs.errors import ConfigError
from nvs.train.config import TrainConfig
from nvs.train.presets import preset
from nvs.train.schedule import (
    Clock,
    baseline_at,
    duration,
    ema_decay_at,
    learning_rate_factor,
    lpips_weight_at,
    parse_duration,
    stage_at,
    view_counts,
)

MakeConfig = Callable[..., TrainConfig]


@pytest.mark.parametrize("decay", ["cosine", "tail"])
def test_learning_rate_rises_then_falls_to_zero(
    make_config: MakeConfig, decay: str
) -> None:
    config = make_config(steps=1000, warmup_steps=10, decay=decay)
    factors = [learning_rate_factor(config, t, t / 1000) for t in range(1001)]
    assert factors[0] == pytest.approx(0.1, abs=1e-6)
    assert max(factors) <= 1
    assert factors[-1] == pytest.approx(0, abs=1e-12)
    assert all(a < b for a, b in itertools.pairwise(factors[:10]))
    assert all(a >= b for a, b in itertools.pairwise(factors[10:]))
    middle = factors[500]
    assert middle == pytest.approx(0.5 if decay == "cosine" else 1.0, abs=1e-6)


def test_tail_decays_over_its_share_only(make_config: MakeConfig) -> None:
    config = make_config(decay="tail", decay_share=0.25, warmup_steps=0)
    assert learning_rate_factor(config, 0, 0.75) == 1
    assert learning_rate_factor(config, 0, 0.875) == pytest.approx(0.5)


def test_stages_take_their_shares_in_order() -> None:
    config = preset("object", {"steps": 1000})
    indices = [stage_at(config, t / 1000)[0] for t in range(1000)]
    assert indices == sorted(indices)
    assert [indices.count(i) for i in range(3)] == [800, 150, 50]
    for t in range(1001):
        assert 0 <= stage_at(config, t / 1000)[1] <= 1
    assert stage_at(config, 0.875) == (1, pytest.approx(0.5))


def test_baseline_moves_from_start_to_end() -> None:
    stage = preset("scene", {"steps": 1, "data": "synthetic:object=1"}).stages[0]
    assert (baseline_at(stage, 0.0), baseline_at(stage, 1.0)) == stage.baseline


def test_view_counts_are_drawn_evenly_from_the_choices(make_config: MakeConfig) -> None:
    config = make_config()
    (stage,) = config.stages
    counts = [view_counts(config, step, stage) for step in range(400)]
    assert counts == [view_counts(config, step, stage) for step in range(400)]
    for pair in itertools.product(stage.inputs, stage.targets):
        assert 60 < counts.count(pair) < 140
    assert counts != [view_counts(make_config(seed=1), s, stage) for s in range(400)]


def test_views_beside_the_inputs_are_targets(make_config: MakeConfig) -> None:
    stages = [{"height": 16, "width": 16, "batch": 1, "inputs": [2, 4], "views": 6}]
    config = make_config(stages=stages)
    counts = {view_counts(config, step, config.stages[0]) for step in range(40)}
    assert counts == {(2, 4), (4, 2)}


def test_lpips_counts_in_its_stages_from_its_step_on(make_config: MakeConfig) -> None:
    sizes = {"height": 16, "width": 16, "batch": 1, "inputs": [2], "targets": [1]}
    stages = [sizes | {"lpips": False}, sizes]
    config = make_config(stages=stages, lpips_weight=0.5, lpips_from=7)
    assert lpips_weight_at(config, 9, 0.2) == 0
    assert lpips_weight_at(config, 6, 0.7) == 0
    assert lpips_weight_at(config, 7, 0.7) == 0.5


def test_running_mean_forgets_the_first_steps_fast(make_config: MakeConfig) -> None:
    config = make_config(ema_decay=0.99)
    decays = [ema_decay_at(config, step) for step in range(2000)]
    assert decays[0] == 0.1
    assert decays == sorted(decays)
    assert decays[-1] == 0.99


def test_steps_decide_progress_and_the_end(make_config: MakeConfig) -> None:
    clock = Clock(make_config(steps=8), elapsed_seconds=0.0, started=time.monotonic())
    assert clock.progress(4) == 0.5
    assert not clock.is_over(7)
    assert clock.is_over(8)


def test_a_time_budget_decides_progress_where_no_steps_do(
    make_config: MakeConfig,
) -> None:
    config = make_config(steps=None, time_budget_seconds=100)
    clock = Clock(config, elapsed_seconds=48.9, started=time.monotonic())
    clock.set(*clock.read())
    assert clock.progress(123) == pytest.approx(0.5, abs=0.01)
    clock.set(97.0, 1.0)
    assert not clock.is_over(123)
    clock.set(97.0, 4.0)
    assert clock.is_over(123), "the next step and the last checkpoint would be late"
    assert clock.progress(123) == 1
    clock.set(97.0, 1.0)
    assert clock.progress(123) == 1, "progress never goes back"


def test_the_reserve_covers_a_step_and_the_upkeep(make_config: MakeConfig) -> None:
    config = make_config(steps=None, time_budget_seconds=100)
    clock = Clock(config, elapsed_seconds=0.0, started=time.monotonic())
    clock.took_upkeep(3.0)
    for seconds in (60.0, 20.0):
        clock.took_step(seconds)
        assert clock.read()[1] == pytest.approx(3), "the first steps compile"
    for _ in range(4):
        clock.took_step(2.0)
        assert clock.read()[1] == pytest.approx(7)
    clock.took_step(20.0)
    assert clock.read()[1] == pytest.approx(7), "one slow step changes nothing"
    for _ in range(9):
        clock.took_step(5.0)
    assert clock.read()[1] == pytest.approx(13)


def test_with_steps_a_time_budget_is_for_each_session(make_config: MakeConfig) -> None:
    config = make_config(steps=1000, time_budget_seconds=100)
    clock = Clock(config, elapsed_seconds=5000.0, started=time.monotonic())
    assert clock.progress(500) == 0.5
    assert not clock.is_over(500)
    clock.set(5099.0, 0.0)
    assert clock.is_over(500)


def test_what_is_left_counts_steps_and_what_is_between_them(
    make_config: MakeConfig,
) -> None:
    config = make_config(steps=100, heldout_every=20, checkpoint_every=50)
    clock = Clock(config, elapsed_seconds=0.0, started=time.monotonic())
    assert clock.seconds_left(40, 2.0) == 120
    clock.took_upkeep(10.0)
    assert clock.seconds_left(40, 2.0) == 120 + 4 * 10
    assert clock.seconds_left(100, 2.0) == 10
    config = make_config(steps=None, time_budget_seconds=118)
    clock = Clock(config, elapsed_seconds=22.0, started=time.monotonic())
    assert clock.seconds_left(7, 2.0) == pytest.approx(96, abs=0.5)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0s"), (8.4, "8s"), (60, "1m"), (96, "1m36s"), (599, "9m59s")),
        *((629, "10m"), (3570, "1h00m"), (7500, "2h05m")),
    ],
)
def test_times_that_are_left_are_said(seconds: float, text: str) -> None:
    assert duration(float(seconds)) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("1h30m", 5400), ("45s", 45), ("600", 600), ("1.5h", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-3m", "0s", "1.2.3m"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no duration. Write it like 90m"):
        parse_duration(text)
