"""Batches: the same whatever makes them, and errors that come through."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nvs.errors import ImageError
from nvs.train.batch import Batch, Order
from nvs.train.config import TrainConfig
from nvs.train.data import batches
from nvs.train.distributed import Processes
from nvs.train.mixture import Mixture, parse_mixture
from nvs.train.sources import load

MakeConfig = Callable[..., TrainConfig]


def stream(config: TrainConfig, mixture: Mixture, start: int, num: int) -> list[Batch]:
    made = batches(
        config,
        mixture,
        start=start,
        progress=lambda step: step / 10,
        processes=Processes(device=torch.device("cpu")),
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
