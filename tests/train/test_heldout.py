"""Held-out scenes: which views, the same scenes for every run, and their PSNR."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.errors import DatasetError
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, parse_mixture
from nvs.train.heldout import (
    HeldOutSet,
    check_not_trained_on,
    choose_views,
    evaluate,
    heldout_scenes,
)
from nvs.train.runtime import build_network

MakeConfig = Callable[..., TrainConfig]
WriteSet = Callable[..., Path]
CPU = torch.device("cpu")


def test_views_are_spread_or_as_given(
    make_config: MakeConfig, posed_set: WriteSet
) -> None:
    folder = posed_set(num_views=16)
    config = make_config(heldout_inputs=4, heldout_targets=4)
    assert choose_views(config, HeldOutSet(folder=folder)) == (
        [0, 4, 8, 12],
        [2, 6, 10, 14],
    )
    given = HeldOutSet(folder=folder, inputs="8:16:4", targets="9:16:4")
    assert choose_views(config, given) == ([8, 12], [9, 13])
    given = HeldOutSet(folder=folder, inputs="2::4")
    assert choose_views(config, given) == ([2, 6, 10, 14], [1, 5, 9, 13])
    given = HeldOutSet(folder=folder, targets="::4")
    assert choose_views(config, given) == ([1, 5, 9, 13], [0, 4, 8, 12])


def test_as_many_inputs_and_targets_as_asked_for(
    make_config: MakeConfig, posed_set: WriteSet
) -> None:
    given = HeldOutSet(folder=posed_set(num_views=16))
    for wanted in ((4, 2), (2, 6), (1, 1)):
        config = make_config(heldout_inputs=wanted[0], heldout_targets=wanted[1])
        inputs, targets = choose_views(config, given)
        assert (len(inputs), len(targets)) == wanted


def test_a_set_without_views_to_spare_is_explained(
    make_config: MakeConfig, posed_set: WriteSet
) -> None:
    given = HeldOutSet(folder=posed_set(num_views=3), inputs="0:3")
    with pytest.raises(DatasetError, match="has 3 views, which leaves no inputs or no"):
        choose_views(make_config(), given)


def test_a_set_that_is_trained_on_is_not_held_out(posed_set: WriteSet) -> None:
    held, other = posed_set(name="sets/a"), posed_set(name="sets/b")
    mixture = parse_mixture(f"synthetic:object=1,{held.parent}=1", framing="none")
    with pytest.raises(DatasetError, match=r"sets/a is held out and also one of"):
        check_not_trained_on(HeldOutSet(folder=held), mixture)
    mixture = parse_mixture(f"{other}=1", framing="none")
    check_not_trained_on(HeldOutSet(folder=held), mixture)


@pytest.mark.parametrize("text", ["3", "20:30", "a:b", "::0", "1:2:3:4"])
def test_a_range_without_views_is_explained(
    make_config: MakeConfig, posed_set: WriteSet, text: str
) -> None:
    given = HeldOutSet(folder=posed_set(num_views=16), inputs=text)
    with pytest.raises(DatasetError, match="selects none of the 16 views"):
        choose_views(make_config(), given)


def test_inputs_are_no_targets(make_config: MakeConfig, posed_set: WriteSet) -> None:
    given = HeldOutSet(folder=posed_set(), inputs="0:4:1", targets="3:6:1")
    with pytest.raises(DatasetError, match=r"views \[3\] are held out as inputs and"):
        choose_views(make_config(), given)


def test_synthetic_scenes_do_not_depend_on_the_run(make_config: MakeConfig) -> None:
    mixture = parse_mixture("synthetic:object=1", framing="none")
    values = {"heldout_scenes": 2, "heldout_inputs": 2, "heldout_targets": 1}
    first, second = (
        heldout_scenes(config, mixture, config.stages[0], None, CPU)
        for config in (make_config(**values), make_config(seed=5, **values))
    )
    assert list(first) == list(second) == ["synthetic:object/0", "synthetic:object/1"]
    for name, batch in first.items():
        assert torch.equal(batch.image, second[name].image)
    one, other = first.values()
    assert not torch.equal(one.image, other.image)


def test_psnr_is_the_mean_over_target_views(
    make_config: MakeConfig, painted: Mixture, posed_set: WriteSet
) -> None:
    config = make_config(heldout_inputs=3)
    given = HeldOutSet(folder=posed_set())
    scenes = heldout_scenes(config, painted, config.stages[0], given, CPU)
    network = build_network(config)
    (result,) = evaluate(network, scenes, nullcontext())
    errors = (result.rendered - scenes["set"].truth[0]).square().mean((1, 2, 3))
    assert result.name == "set"
    assert result.psnr_db == pytest.approx(
        (-10 * errors.log10()).mean().item(), rel=1e-5
    )
    batch = scenes["set"]
    itself = replace(
        batch,
        image=batch.image[:, :3].repeat(1, 2, 1, 1, 1),
        world_from_camera=batch.world_from_camera[:, :3].repeat(1, 2, 1, 1),
        intrinsics=batch.intrinsics[:, :3].repeat(1, 2, 1),
    )
    (again,) = evaluate(network, {"itself": itself}, nullcontext())
    assert again.psnr_db == pytest.approx(result.inputs_psnr_db, abs=1e-4)
