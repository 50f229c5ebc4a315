"""The data of a run: a function of the seed and the step, whatever makes it."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nvs.errors import ConfigError, DatasetError, ImageError
from nvs.parallel.group import Group
from nvs.train.batch import (
    NUM_TRAINING_SEEDS,
    Batch,
    Order,
    heldout_seed,
    training_seed,
)
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, batches, check_dealing, parse_mixture
from nvs.train.distributed import Processes
from nvs.train.sources import load

MakeConfig = Callable[..., TrainConfig]
STAGE = {"height": 16, "width": 16, "batch": 8, "inputs": [2, 4], "targets": [1]}


def stream(config: TrainConfig, mixture: Mixture, start: int, num: int) -> list[Batch]:
    made = batches(
        config,
        mixture,
        start=start,
        progress=lambda step: step / 10,
        processes=Processes.alone(torch.device("cpu")),
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


def test_a_worker_that_is_let_go_while_it_sends_ends_in_order(
    make_config: MakeConfig, painted: Mixture
) -> None:
    size = {"height": 64, "width": 64, "batch": 8, "inputs": [4], "targets": [4]}
    config = make_config(workers=1, stages=[size])
    cpu = Processes.alone(torch.device("cpu"))
    for _ in range(2):
        others = set(torch.multiprocessing.active_children())
        made = batches(config, painted, start=0, progress=float, processes=cpu)
        next(made)
        (worker,) = set(torch.multiprocessing.active_children()) - others
        made.close()
        worker.join()
        assert worker.exitcode == 0


def test_what_workers_prepare_makes_the_same_scene(
    posed_set: Callable[..., Path],
) -> None:
    order = Order(
        seed=3, num_scenes=2, num_inputs=2, num_targets=1, height=16, width=16
    )
    cpu = torch.device("cpu")
    for text in ("synthetic:object", "synthetic:room", str(posed_set())):
        (source,) = parse_mixture(f"{text}=1", framing="none").sources
        sent = pickle.loads(pickle.dumps(source)).prepare(order)
        received = pickle.loads(pickle.dumps(sent))
        assert_same(source.finish(received, order, cpu), load(source, order, cpu))


def test_input_views_are_repeated_as_targets(
    make_config: MakeConfig, painted: Mixture
) -> None:
    size = {"height": 16, "width": 16, "batch": 4}
    plain, repeating = (
        make_config(stages=[size | {"inputs": [1, 3], "targets": [2]} | more])
        for more in ({}, {"repeated": 2})
    )
    seen = set()
    for few, many in zip(
        stream(plain, painted, 0, 8), stream(repeating, painted, 0, 8), strict=True
    ):
        num = min(2, few.num_inputs)
        assert many.num_inputs == few.num_inputs
        for name in ("image", "world_from_camera", "intrinsics"):
            views, more = getattr(few, name), getattr(many, name)
            assert torch.equal(more, torch.cat([views, views[:, :num]], dim=1))
        seen.add(num)
    assert seen == {1, 2}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_source_s_error_names_the_set(
    make_config: MakeConfig, posed_set: Callable[..., Path], workers: int
) -> None:
    folder = posed_set()
    for image in (folder / "images").iterdir():
        image.write_bytes(image.read_bytes()[:40])
    mixture = parse_mixture(f"{folder}=1", framing="none")
    with pytest.raises(ImageError, match=r"set/images/00\d.png"):
        stream(make_config(workers=workers), mixture, 0, 1)


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


def among(num_scenes: int, *, sharing: int = 1) -> Processes:
    cpu = torch.device("cpu")
    return Processes(
        everyone=Group(device=cpu, size=num_scenes * sharing),
        scenes=Group(device=cpu, size=num_scenes),
        views=Group(device=cpu, size=sharing),
    )


def test_groups_that_cannot_be_dealt_evenly_are_refused(
    make_config: MakeConfig,
) -> None:
    config = make_config(stages=[STAGE], scenes_per_group=2)
    check_dealing(config, among(2))
    with pytest.raises(
        ConfigError, match=r"stages\[0\]: 4 groups of 2 scenes cannot be dealt evenly"
    ):
        check_dealing(config, among(3))


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
    mixture = parse_mixture(f"{folder}, synthetic:object=2", framing="none")
    assert [source.name for source in mixture.sources] == [
        str(folder),
        "synthetic:object",
    ]
    assert list(mixture.weights) == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("synthetic:object=0", "'synthetic:object=0' has no positive weight. Write it"),
        ("synthetic:object=-1", "has no positive weight"),
        ("", "'' has no positive weight"),
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
