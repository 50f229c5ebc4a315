"""A network spread over ranks has the outputs and gradients of one device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from nvs.config import ModelConfig
from nvs.errors import ConfigError
from nvs.model import LaCTNetwork
from nvs.model.tokens import posed_rays
from nvs.parallel.group import Group
from nvs.parallel.split import deal_directions, split_heads
from nvs.scene.bench import random_views
from nvs.train import runtime
from nvs.train.batch import Batch
from nvs.train.data import check_dealing
from nvs.train.distributed import Processes
from nvs.train.learner import Learner
from nvs.train.presets import preset
from tests.parallel.ranks import run_ranks, values
from tests.train.conftest import SMALL

HEIGHT, WIDTH = 16, 24
ALONE = Group.alone(torch.device("cpu"))


def made(**changes: Any) -> LaCTNetwork:
    shape = {"dim": 48, "num_blocks": 2, "attention_head_dim": 16, "fast_head_dim": 12}
    torch.manual_seed(1)
    network = LaCTNetwork(ModelConfig(**shape | changes)).double()
    network.set_newton_schulz_dtype(torch.float64)
    return network


def without_rounding() -> None:
    """Have float64 stay what it is, where the network asks for float32."""
    narrow = Tensor.float
    Tensor.float = lambda self: self if self.dtype == torch.float64 else narrow(self)  # type: ignore[method-assign]


def by_heads(
    group: Group, changes: dict[str, Any], compiles: bool = False
) -> dict[str, Any]:
    narrow = Tensor.float
    without_rounding()
    try:
        network = made(**changes)
        split_heads(network, group)
        for block in network.blocks if compiles else []:
            block.forward = torch.compile(block.forward, backend="eager")
        views = random_views(5, height=HEIGHT, width=WIDTH)
        posed = posed_rays(views.camera.to(dtype=torch.float32)).double()
        image = views.image[None].double()
        rendered = network(posed[:, :3], image[:, :3], posed[:, 3:])
        loss = (rendered - image[:, 3:]).square().mean()
        (loss / group.size).backward()
    finally:
        Tensor.float = narrow  # type: ignore[method-assign]
    embedding = network.embedding.weight.grad
    assert embedding is not None
    (whole,) = group.sum((embedding,))
    heads = [weight.grad for weight in network.layers[0].lact.initial]
    return {
        "rendered": rendered.detach(),
        "embedding": whole,
        "fast weights": [
            torch.cat(rank) for rank in zip(*group.share(heads), strict=True)
        ],
    }


def directions(group: Group) -> tuple[list[Tensor], list[Tensor]]:
    """Of a gradient over all ranks: made by every rank, and by those dealt to."""
    lact = made().layers[0].lact
    torch.manual_seed(group.rank)
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    for dtype in (torch.bfloat16, torch.float32):
        lact.newton_schulz_dtype = dtype
        gradient = tuple(torch.randn(1, *w.shape) for w in lact.initial)
        found[0].extend(lact.direction(group.sum(gradient)))
        found[1].extend(deal_directions(group)(lact, gradient))
    return found


@pytest.mark.parametrize("num_ranks", [2, 5])
def test_directions_that_are_dealt_are_those_of_every_rank(num_ranks: int) -> None:
    first, *others = values(run_ranks(num_ranks, directions))
    for repeated, dealt in zip(*first, strict=True):
        assert dealt.dtype == repeated.dtype
        if num_ranks == 2:  # three numbers may be added up in another order
            assert torch.equal(dealt, repeated)
        torch.testing.assert_close(dealt, repeated, atol=0.05, rtol=0)
    for other in others:
        assert all(map(torch.equal, other[1], first[1]))


HEAD_VARIANTS = [{}, {"fast_position": "ray_point"}, {"update_rule": "momentum"}]


@pytest.mark.parametrize("changes", HEAD_VARIANTS)
@pytest.mark.parametrize("num_ranks", [2, 3])
def test_heads_on_ranks_equal_all_heads_on_one(
    num_ranks: int, changes: dict[str, Any]
) -> None:
    one = by_heads(ALONE, changes)
    for rank in values(run_ranks(num_ranks, by_heads, changes)):
        torch.testing.assert_close(rank, one, rtol=0, atol=1e-9)
    assert one["embedding"].norm() > 1e-4


def test_heads_on_ranks_add_up_in_compiled_blocks_too() -> None:
    one = by_heads(ALONE, {})
    for rank in values(run_ranks(2, by_heads, {}, True)):
        torch.testing.assert_close(rank, one, rtol=0, atol=1e-9)


def test_one_head_cannot_be_split() -> None:
    two = Group(device=torch.device("cpu"), size=2)
    with pytest.raises(ConfigError, match="1 fast head cannot be split") as caught:
        split_heads(made(fast_head_dim=48), two)
    assert "nvs build --devices" in caught.value.remedy


def scenes(count: int) -> Batch:
    views = random_views(5 * count, height=HEIGHT, width=WIDTH)
    camera = views.camera
    return Batch(
        image=views.image.unflatten(0, (count, 5)).double(),
        world_from_camera=camera.world_from_camera.unflatten(0, (count, 5)).double(),
        intrinsics=camera.intrinsics.unflatten(0, (count, 5)).double(),
        num_inputs=3,
    )


def trained(group: Group, context_parallel: int) -> dict[str, Any]:
    """Loss and gradients of two scenes of three inputs and two targets."""
    narrow, build = Tensor.float, runtime.build_network
    runtime.build_network = lambda config: build(config).double()
    without_rounding()
    try:
        processes = Processes.of(group, context_parallel=context_parallel)
        learner = Learner(preset("tiny", SMALL), processes)
        learner.network.set_newton_schulz_dtype(torch.float64)
        own = list(range(processes.scenes.rank, 2, processes.scenes.size))
        batch = scenes(2).map(lambda tensor: tensor[own])
        loss, _, _ = learner._backward(batch, 0.0, 0)
    finally:
        Tensor.float, runtime.build_network = narrow, build  # type: ignore[method-assign]
    (mean,) = group.mean([loss])
    gradients = {name: p.grad for name, p in learner.network.named_parameters()}
    return {"loss": mean, "gradients": gradients}


@pytest.mark.parametrize(("num_ranks", "context_parallel"), [(2, 2), (4, 2)])
def test_ranks_that_share_scenes_have_the_gradients_of_one(
    num_ranks: int, context_parallel: int
) -> None:
    one = trained(ALONE, 1)
    for rank in values(run_ranks(num_ranks, trained, context_parallel)):
        torch.testing.assert_close(rank, one, rtol=0, atol=1e-9)
    assert one["gradients"]["embedding.weight"].norm() > 1e-4


def test_a_stage_with_too_few_views_to_share_is_refused() -> None:
    three = Group(device=ALONE.device, size=3)
    processes = Processes(everyone=three, scenes=ALONE, views=three)
    with pytest.raises(
        ConfigError, match=r"stages\[0\]: 1 views cannot be dealt to 3 devices"
    ):
        check_dealing(preset("tiny", SMALL), processes)
