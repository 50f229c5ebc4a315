"""Mixtures: what a step trains on depends on the seed and the step alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nvs.errors import ConfigError, DatasetError
from nvs.train.batch import NUM_TRAINING_SEEDS, Order, heldout_seed, training_seed
from nvs.train.config import TrainConfig
from nvs.train.mixture import Mixture, check_dealing, parse_mixture
from nvs.train.sources import load

MakeConfig = Callable[..., TrainConfig]
STAGE = {"height": 16, "width": 16, "batch": 8, "inputs": [2, 4], "targets": [1]}


@pytest.mark.parametrize("world", [2, 4])
def test_devices_together_take_the_same_scenes_as_one(
    make_config: MakeConfig, painted: Mixture, world: int
) -> None:
    config = make_config(stages=[STAGE], scenes_per_group=2)
    for step in range(5):
        alone = painted.orders(config, step, 0.1, rank=0, world=1)
        shares = [
            painted.orders(config, step, 0.1, rank=rank, world=world)
            for rank in range(world)
        ]
        dealt = [order for share in shares for order in share]
        assert {len(share) for share in shares} == {4 // world}
        assert sorted(dealt, key=lambda o: o[1].seed) == sorted(
            alone, key=lambda o: o[1].seed
        )


def test_groups_that_cannot_be_dealt_evenly_are_refused(
    make_config: MakeConfig,
) -> None:
    config = make_config(stages=[STAGE], scenes_per_group=2)
    check_dealing(config, world=2)
    with pytest.raises(
        ConfigError, match=r"stages\[0\]: 4 groups of 2 scenes cannot be dealt evenly"
    ):
        check_dealing(config, world=3)


def test_weights_decide_how_often_a_source_is_drawn(
    make_config: MakeConfig, painted: Mixture
) -> None:
    (source,) = painted.sources
    mixture = Mixture(sources=[source, source], weights=[3.0, 1.0])
    config = make_config(stages=[STAGE])
    drawn = [
        index
        for step in range(100)
        for index, _ in mixture.orders(config, step, 0.0, rank=0, world=1)
    ]
    assert 0.70 < drawn.count(0) / len(drawn) < 0.80


def test_steps_and_seeds_give_other_scenes(
    make_config: MakeConfig, painted: Mixture
) -> None:
    seeds = [
        order.seed
        for seed in range(3)
        for step in range(50)
        for _, order in painted.orders(
            make_config(seed=seed), step, 0.0, rank=0, world=1
        )
    ]
    assert len(set(seeds)) == len(seeds)


def test_heldout_seeds_are_never_trained_on() -> None:
    trained = {
        training_seed(0, step, group) for step in range(100) for group in range(9)
    }
    assert max(trained) < NUM_TRAINING_SEEDS <= heldout_seed(0) < heldout_seed(1)


def test_a_mixture_is_read(posed_set: Callable[..., Path]) -> None:
    folder = posed_set()
    mixture = parse_mixture(f"synthetic:object=0.7, {folder}=0.3", framing="none")
    assert [source.name for source in mixture.sources] == [
        "synthetic:object",
        str(folder),
    ]
    assert list(mixture.weights) == [0.7, 0.3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("synthetic:object", "'synthetic:object' has no positive weight. Write it as"),
        ("synthetic:object=-1", "has no positive weight"),
        ("synthetic:object=nan", "has no positive weight"),
        ("synthetic:cloud=1", "no synthetic scenes of kind 'cloud'. Use one of object"),
        ("nowhere=1", "there is no data source 'nowhere'. Use synthetic:object"),
    ],
)
def test_bad_mixtures_are_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_mixture(text, framing="none")
    assert message in str(caught.value)


def test_a_folder_without_sets_is_explained(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no posed sets. Give a folder in a"):
        parse_mixture(f"{tmp_path}=1", framing="none")


def test_synthetic_surfaces_wear_photographs(tmp_path: Path) -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 2] = 255
    assert cv2.imwrite(str(tmp_path / "red.png"), red)
    order = Order(
        seed=1,
        num_scenes=4,
        num_inputs=2,
        num_targets=1,
        height=32,
        width=32,
        field_of_view=1.0,
        baseline=1.0,
    )

    def views(photographs: str | None) -> torch.Tensor:
        mixture = parse_mixture(
            "synthetic:object=1", framing="none", photographs=photographs
        )
        return load(mixture.sources[0], order, torch.device("cpu")).image

    plain, dressed = views(None), views(str(tmp_path))
    redness = [
        float((image[:, :, 0] - image[:, :, 1]).mean()) for image in (plain, dressed)
    ]
    assert redness[1] > redness[0] + 0.01


def test_a_missing_folder_of_photographs_is_explained() -> None:
    with pytest.raises(DatasetError, match=r"nowhere is not a folder\. Give a folder"):
        parse_mixture("synthetic:object=1", framing="none", photographs="nowhere")
