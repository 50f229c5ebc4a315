"""Where scenes come from: the interface, and scenes made on the spot."""

from __future__ import annotations

import functools
from typing import Literal, Protocol, get_args, runtime_checkable

import torch

from nvs.errors import ConfigError
from nvs.train.batch import Batch, Order

SyntheticKind = Literal["object", "room"]


@runtime_checkable
class Source(Protocol):
    """Anything that fills orders.

    What it returns is a function of the order alone: the same on every device, in every
    process and after every restart.
    """

    name: str
    """What messages call it."""
    on_device: bool
    """Whether it works best on the training device rather than in a worker."""

    def load(self, order: Order, device: torch.device) -> Batch:
        """Fill an order."""
        ...


class SyntheticSource:
    """Scenes of `nvs.train.synthetic`, made from their seed.

    Args:
        kind: `object` or `room`.
        photographs: Folder of photographs that some surfaces wear, beside the patterns.

    Raises:
        ConfigError: If there is no such kind.
        DatasetError: If the folder is missing or holds no image.
    """

    on_device = True

    def __init__(self, kind: str, *, photographs: str | None = None) -> None:
        from nvs.train.synthetic.photographs import load_photographs

        if kind not in get_args(SyntheticKind):
            raise ConfigError(
                f"there are no synthetic scenes of kind {kind!r}",
                remedy=f"Use one of {', '.join(get_args(SyntheticKind))}, "
                "such as synthetic:object=1.",
            )
        self.kind = kind
        self.photographs = (
            None if photographs is None else load_photographs(photographs)
        )
        self.name = f"synthetic:{kind}"

    def load(self, order: Order, device: torch.device) -> Batch:
        """Make the scenes and render their views."""
        from nvs.train import synthetic

        make = (
            synthetic.object_batch
            if self.kind == "object"
            else functools.partial(synthetic.room_batch, framing_views=order.num_inputs)
        )
        made = make(
            batch=order.num_scenes,
            views=order.num_views,
            height=order.height,
            width=order.width,
            seed=order.seed,
            device=device,
            photographs=self.photographs,
        )
        return Batch(
            image=made.image,
            world_from_camera=made.world_from_camera,
            intrinsics=made.intrinsics,
            num_inputs=order.num_inputs,
        )
