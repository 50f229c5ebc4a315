"""What the measurement of training says of itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from nvs.model import cost, layers
from nvs.train.batch import Order
from nvs.train.bench import bench_training
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture
from nvs.train.distributed import Processes
from nvs.train.learner import Learner
from nvs.train.sources import load

ALONE = Processes.alone(torch.device("cpu"))
SIZES = {"num_inputs": 3, "num_targets": 2}


def test_operations_of_a_step_are_those_counted(
    make_config: Callable[..., TrainConfig],
    painted: Mixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT).softmax(dim=-1) @ v

    monkeypatch.setattr(layers, "attend", attend)  # products the counter sees
    config = make_config()
    order = Order(seed=0, num_scenes=1, height=64, width=64, **SIZES)
    batch = load(painted.sources[0], order, ALONE.device)
    learner = Learner(config, ALONE)
    with FlopCounterMode(display=False) as counter:
        learner.loss(batch).total.backward()
    expected = cost.train_flops(config.model, height=64, width=64, **SIZES)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.03)


def test_parts_make_a_step(
    make_config: Callable[..., TrainConfig], painted: Mixture
) -> None:
    result = bench_training(
        make_config(), painted, size=16, repeats=3, processes=ALONE, **SIZES
    )
    assert result["tokens"] == 5 * 2 * 2
    whole = result["data_seconds"] + result["step_seconds"]
    assert result["tokens_per_second"] == pytest.approx(result["tokens"] / whole)
    assert 0 < result["share_of_ceiling"] < 1
