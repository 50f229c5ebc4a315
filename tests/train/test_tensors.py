"""Dataclasses of tensors, moved, cut and joined as one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from nvs.train.batch import Batch
from nvs.train.tensors import Tensors, combine


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inner(Tensors):
    values: Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outer(Tensors):
    inner: Inner
    values: Tensor
    name: str = "outer"
    missing: Tensor | None = None


def outer(value: float) -> Outer:
    return Outer(
        inner=Inner(values=torch.full((2,), value)), values=torch.full((3,), -value)
    )


def test_every_tensor_is_changed_and_nothing_else() -> None:
    changed = outer(1.0).map(lambda tensor: 2 * tensor)
    assert torch.equal(changed.inner.values, torch.full((2,), 2.0))
    assert torch.equal(changed.values, torch.full((3,), -2.0))
    assert (changed.name, changed.missing) == ("outer", None)


def test_moving_moves_what_is_inside() -> None:
    moved = outer(1.0).to("meta")
    assert moved.inner.values.is_meta
    assert moved.values.is_meta


def test_fields_of_several_are_joined() -> None:
    both = combine(lambda *parts: torch.cat(parts), outer(1.0), outer(2.0))
    assert both.inner.values.tolist() == [1, 1, 2, 2]
    assert both.values.tolist() == [-1, -1, -1, -2, -2, -2]


def test_a_split_batch_joins_to_itself() -> None:
    batch = Batch(
        image=torch.rand(5, 3, 3, 4, 4),
        world_from_camera=torch.eye(4).expand(5, 3, 4, 4),
        intrinsics=torch.rand(5, 3, 4),
        num_inputs=2,
        pivot=torch.rand(5, 3),
    )
    parts = batch.split(2)
    assert [len(part.image) for part in parts] == [2, 2, 1]
    again = Batch.cat(parts)
    assert torch.equal(again.image, batch.image)
    assert torch.equal(again.pivot, batch.pivot)
    assert again.num_inputs == 2
    without = replace(parts[0], pivot=None)
    with pytest.raises(AssertionError, match="one kind of poses"):
        Batch.cat([without, parts[1]])
