"""Mixtures: what a step trains on depends on the seed and the step alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nvs.errors import ConfigError, DatasetError
from nvs.train.batch import NUM_TRAINING_SEEDS, heldout_seed, training_seed
from nvs.train.config import TrainConfig
from nvs.train.mixture import Mixture, check_dealing, parse_mixture

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
    with pytest.raises(DatasetError, match=r"holds no posed sets. Give a folder with"):
        parse_mixture(f"{tmp_path}=1", framing="none")
