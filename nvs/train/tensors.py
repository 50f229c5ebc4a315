"""Dataclasses of tensors, changed field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T", bound="Tensors")


@dataclass(frozen=True, slots=True, eq=False)
class Tensors:
    """What has tensors, and other such values, as its fields."""

    def map(self: T, change: Callable[[Tensor], Tensor]) -> T:
        """With every tensor changed; whatever is none stays."""
        return combine(change, self)

    def to(self: T, device: torch.device | str) -> T:
        """Move all tensors."""
        return self.map(
            lambda tensor: tensor.to(device, non_blocking=tensor.is_pinned())
        )


def combine(change: Callable[..., Tensor], *values: T) -> T:
    """One value whose tensors are made of the same field of several.

    Whatever is no tensor is taken from the first.
    """

    def of(*column: Any) -> Any:
        if isinstance(column[0], Tensor):
            return change(*column)
        return combine(change, *column) if isinstance(column[0], Tensors) else column[0]

    names = [field.name for field in fields(values[0])]
    changed = {name: of(*(getattr(v, name) for v in values)) for name in names}
    return replace(values[0], **changed)
