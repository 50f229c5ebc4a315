"""Ranks that share the views of a scene build what one device builds."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nvs.config import ModelConfig
from nvs.model import cost
from nvs.model.checkpoint import random_checkpoint
from nvs.model.network import LaCTNetwork
from nvs.model.prefill import prefill_in_groups
from nvs.model.trained_on import TrainedOn
from nvs.parallel.group import Group
from nvs.parallel.split import deal_directions
from nvs.scene import Renderer, load_views
from nvs.scene.bench import random_views
from nvs.scene.precision import Precision
from nvs.scene.quality import psnr_db
from tests.parallel.ranks import run_ranks, values

SAMPLE = Path(__file__).resolve().parents[2] / "nvs" / "assets" / "sample"
HEIGHT, WIDTH, NUM_VIEWS = 16, 24, 5
RANKS = [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4))]


def deep(**changes: Any) -> ModelConfig:
    """The whole 24-block form, of small width."""
    shape = {"dim": 32, "num_blocks": 24, "attention_head_dim": 16, "fast_head_dim": 32}
    return ModelConfig(**shape | changes)


def in_float64(group: Group) -> list[Tensor]:
    """Fast weights of all blocks, with nothing rounded to float32 on the way."""
    narrow = Tensor.float
    Tensor.float = lambda self: self if self.dtype == torch.float64 else narrow(self)  # type: ignore[method-assign]
    torch.manual_seed(0)
    network = random_checkpoint(deep()).network().double()
    network.set_newton_schulz_dtype(torch.float64)
    tokens = torch.randn(1, NUM_VIEWS, 6, 32, dtype=torch.float64)
    own = group.part(NUM_VIEWS, "views")
    blocks = prefill_in_groups(
        network,
        lambda views: (tokens[:, own.start : own.stop][:, views], None),
        num_views=len(own),
        group_size=2,
        direction=deal_directions(group),
    )
    found = [weight for block in blocks for weight in block]
    Tensor.float = narrow  # type: ignore[method-assign]
    return found


def built(group: Group, config: ModelConfig, poses: str) -> dict[str, Any]:
    """A scene of this rank's share of some views."""
    torch.manual_seed(0)
    renderer = Renderer(
        random_checkpoint(config),
        model_id="random",
        trained_on=TrainedOn(poses=poses),  # type: ignore[arg-type]
        group=group,
    )
    views = random_views(3 * NUM_VIEWS, height=HEIGHT, width=WIDTH)  # a third of a ring
    own = group.part(NUM_VIEWS, "views")
    scene = renderer.prefill(
        views[own.start : own.stop], dtype=torch.float32, group_size=1
    )
    return {
        "weights": [weight for block in scene.fast_weights for weight in block],
        "names": scene.input_names,
        "camera": scene.input_camera.world_from_camera,
        "thumbnail": scene.thumbnail,
        "pivot": scene.pivot,
    }


def photographed(group: Group) -> dict[str, Any]:
    """The sample built with the weights that ship, and rendered."""
    renderer = Renderer.from_weights(group=group)
    views = load_views(
        SAMPLE, size=64, patch_size=renderer.config.patch_size, group=group
    )
    scene = renderer.prefill(views)
    target = load_views(SAMPLE, size=64, patch_size=4, views=[1, 9])
    rendered = renderer.render(scene, target.camera)
    error = (rendered.permute(0, 3, 1, 2) - target.image).square().mean()
    return {
        "psnr": psnr_db(error.item()),
        "views": len(views),
        "density": scene.density,
    }


def everything(group: Group) -> dict[str, Any]:
    without_step = deep(update_rule="gradient_descent", fast_position="ray_point")
    return {
        "float64": in_float64(group),
        "plain": built(group, without_step, "scene"),
        "photographed": photographed(group),
    }


@functools.cache
def of_one() -> dict[str, Any]:
    return everything(Group.alone(torch.device("cpu")))


@functools.cache
def of_ranks(num_ranks: int) -> list[dict[str, Any]]:
    return values(run_ranks(num_ranks, everything))


@pytest.mark.parametrize("num_ranks", RANKS)
def test_in_float64_the_scene_is_that_of_one_rank(num_ranks: int) -> None:
    for rank in of_ranks(num_ranks):
        for found, expected in zip(rank["float64"], of_one()["float64"], strict=True):
            assert found.dtype == torch.float64
            assert (found - expected).abs().max() <= 1e-9


@pytest.mark.parametrize("num_ranks", RANKS)
def test_in_float32_without_orthogonalisation_too(num_ranks: int) -> None:
    one = of_one()["plain"]
    for rank in of_ranks(num_ranks):
        plain = rank["plain"]
        for found, expected in zip(plain["weights"], one["weights"], strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_ranks", RANKS)
def test_every_rank_has_the_same_scene_with_all_inputs_in_order(num_ranks: int) -> None:
    one = of_one()["plain"]
    first, *others = (rank["plain"] for rank in of_ranks(num_ranks))
    for other in others:
        assert all(map(torch.equal, first["weights"], other["weights"]))
    assert first["names"] == one["names"]
    for key in ("camera", "thumbnail", "pivot"):
        assert torch.equal(first[key], one[key])


@pytest.mark.parametrize("num_ranks", RANKS)
def test_renders_are_as_good_as_those_of_one_rank(num_ranks: int) -> None:
    ranks = [rank["photographed"] for rank in of_ranks(num_ranks)]
    one = of_one()["photographed"]
    assert sum(rank["views"] for rank in ranks) == one["views"]
    assert one["psnr"] > 20
    for rank in ranks:
        assert rank["psnr"] == pytest.approx(one["psnr"], abs=0.01)
        assert torch.equal(rank["density"], one["density"])
    assert one["density"].any()


def unreadable(group: Group, folder: Path) -> None:
    renderer = Renderer.from_weights(group=group)
    renderer.prefill(load_views(folder, size=32, patch_size=4, group=group))


def test_a_view_that_one_rank_cannot_read_ends_all(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(SAMPLE, folder)
    last = sorted(folder.rglob("*.png"))[-1]
    last.write_bytes(b"no picture")
    first, second = run_ranks(2, unreadable, folder)
    assert last.name in str(second.error)
    assert "ImageError" in str(second.error)
    assert str(first.error).startswith("StoppedError: rank 1 of 2 failed (ImageError")
    assert last.name in str(first.error)
    assert first.seconds < 20


def cancelled(group: Group) -> None:
    renderer = Renderer.from_weights(group=group)
    views = random_views(4, height=32, width=32)
    own = group.part(4, "views")

    def cancel(done: int, total: int) -> None:
        if group.is_first and done > 3:
            raise InterruptedError("cancelled by its user")

    renderer.prefill(views[own.start : own.stop], group_size=1, progress=cancel)


def test_a_rank_that_cancels_ends_all() -> None:
    first, second = run_ranks(2, cancelled)
    assert first.error == "InterruptedError: cancelled by its user"
    assert "rank 0 of 2 failed (InterruptedError: cancelled by its u" in str(
        second.error
    )
    assert first.seconds < 20


def counted(group: Group) -> tuple[int, int]:
    """Bytes that a prefill gives to the ranks' exchanges, and in how many calls."""
    sent: list[int] = []

    def counting(exchange: Callable[..., Any]) -> Callable[..., Any]:
        def counted(tensor: Tensor, **options: Any) -> Any:
            sent.append(tensor.nbytes)
            return exchange(tensor, **options)

        return counted

    for name in ("reduce", "broadcast", "all_reduce"):
        exchange = getattr(torch.distributed, name)
        setattr(torch.distributed, name, counting(exchange))
    built(group, deep(), "object")
    return sum(sent), len(sent)


def test_what_is_sent_is_what_the_formula_says() -> None:
    itemsize = Precision.named(None, torch.device("cpu")).newton_schulz.itemsize
    for num_bytes, num_calls in values(run_ranks(2, counted)):
        assert num_bytes == cost.prefill_exchange_bytes(deep(), itemsize)
        assert num_calls == 2 * cost.num_matrices(deep()) * deep().num_blocks


def residual(group: Group) -> int:
    """Bytes of the residual stream that a rank keeps."""
    kept: list[int] = []
    embed = LaCTNetwork.embed_inputs

    def recording(self: LaCTNetwork, *given: Any) -> tuple[Tensor, Tensor | None]:
        tokens, points = embed(self, *given)
        kept.append(tokens.nbytes)
        return tokens, points

    LaCTNetwork.embed_inputs = recording  # type: ignore[method-assign]
    built(group, deep(), "object")
    return sum(kept)


def test_a_rank_keeps_the_residual_stream_of_its_own_views() -> None:
    a_view = cost.residual_bytes_per_view(deep(), HEIGHT, WIDTH)
    assert values(run_ranks(2, residual)) == [2 * a_view, 3 * a_view]
