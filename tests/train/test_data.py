"""Batches: the same whatever makes them, and errors that come through."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nvs.errors import DatasetError
from nvs.train.batch import Batch
from nvs.train.config import TrainConfig
from nvs.train.data import batches
from nvs.train.mixture import Mixture, parse_mixture

MakeConfig = Callable[..., TrainConfig]


def stream(config: TrainConfig, mixture: Mixture, start: int, num: int) -> list[Batch]:
    made = batches(
        config,
        mixture,
        start=start,
        progress=lambda step: step / 10,
        device=torch.device("cpu"),
        rank=0,
        world=1,
    )
    return list(itertools.islice(made, num))


def assert_same(left: Batch, right: Batch) -> None:
    assert left.num_inputs == right.num_inputs
    assert torch.equal(left.image, right.image)
    assert torch.equal(left.world_from_camera, right.world_from_camera)
    assert torch.equal(left.intrinsics, right.intrinsics)


def test_a_stream_can_start_anywhere(make_config: MakeConfig, painted: Mixture) -> None:
    config = make_config()
    whole = stream(config, painted, 0, 5)
    for made, again in zip(whole[2:], stream(config, painted, 2, 3), strict=True):
        assert_same(made, again)


def test_workers_change_nothing_but_who_works(
    make_config: MakeConfig, posed_set: Callable[..., Path]
) -> None:
    mixture = parse_mixture(f"synthetic:object=1,{posed_set()}=1", framing="none")
    alone = stream(make_config(seed=1), mixture, 0, 3)
    helped = stream(make_config(seed=1, workers=1), mixture, 0, 3)
    for made, again in zip(alone, helped, strict=True):
        assert_same(made, again)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_source_s_error_names_the_set(
    make_config: MakeConfig, posed_set: Callable[..., Path], workers: int
) -> None:
    folder = posed_set(num_views=2)
    mixture = parse_mixture(f"{folder}=1", framing="none")
    with pytest.raises(DatasetError, match=r"has 2 views; .* are needed"):
        stream(make_config(workers=workers), mixture, 0, 1)
