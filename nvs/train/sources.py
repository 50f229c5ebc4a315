"""Where scenes come from: the interface, scenes made in the loop, and both by name.

Posed sets are in `nvs.train.sets`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from nvs.cameras.normalisation import Kind
from nvs.errors import ConfigError
from nvs.model.trained_on import TrainedOn
from nvs.train.batch import Batch, Order
from nvs.train.sets import SetSource
from nvs.train.synthetic import (
    DrawnBatch,
    Photographs,
    draw_prints,
    draw_scenes,
    load_photographs,
    rigs,
)

SYNTHETIC: dict[str, TrainedOn] = {
    "object": TrainedOn(
        poses="object",
        distance=rigs.RADIUS_RANGE,
        elevation_degrees=rigs.ELEVATION_RANGE_DEGREES,
        hfov_degrees=rigs.ORBIT_HFOV_RANGE_DEGREES,
        background="white",
    ),
    "room": TrainedOn(
        poses="scene", hfov_degrees=rigs.HAND_HFOV_RANGE_DEGREES, background="any"
    ),
}
"""Kinds of synthetic scenes, and what each shows."""
PRINTS = 384
"""Drawn for surfaces to wear."""


@runtime_checkable
class Source(Protocol):
    """Anything that fills orders, in two parts that may run in different processes.

    What comes out is a function of the order alone: the same on every device, in every
    process and after every restart.
    """

    name: str
    """What messages call it."""
    shows: TrainedOn
    """What weights will have been trained on that saw its scenes, as far as known; the
    sizes and numbers of views are the stages'."""

    def prepare(self, order: Order) -> Any:
        """The part for a worker process, on the CPU; the result can be pickled."""
        ...

    def finish(self, prepared: Any, order: Order, device: torch.device) -> Batch:
        """The part for the training device."""
        ...


def load(source: Source, order: Order, device: torch.device) -> Batch:
    """Fill an order here and now."""
    return source.finish(source.prepare(order), order, device)


class SyntheticSource:
    """Scenes of `nvs.train.synthetic`, drawn from their seed, rendered on the device.

    Args:
        kind: `object` or `room`.
        photographs: Folder of photographs that some surfaces wear, beside patterns
            and drawn prints.

    Raises:
        ConfigError: If there is no such kind.
        DatasetError: If the folder is missing or holds no image.
    """

    def __init__(self, kind: str, *, photographs: str | None = None) -> None:
        if kind not in SYNTHETIC:
            raise ConfigError(
                f"there are no synthetic scenes of kind {kind!r}",
                remedy=f"Use one of {', '.join(SYNTHETIC)}, such as "
                "synthetic:object=1.",
            )
        self.kind = kind
        self.photographs = (
            _prints_alone()
            if photographs is None
            else load_photographs(photographs, prints=PRINTS)
        )
        self.uploaded: dict[torch.device, Photographs] = {}
        self.name = f"synthetic:{kind}"
        self.shows = SYNTHETIC[kind]

    def __getstate__(self) -> dict[str, Any]:
        """Worker processes get no tensors of the training device."""
        return self.__dict__ | {"uploaded": {}}

    def prepare(self, order: Order) -> DrawnBatch:
        """Draw the scenes and their cameras."""
        return draw_scenes(
            self.kind,
            batch=order.num_scenes,
            views=order.num_views,
            height=order.height,
            width=order.width,
            seed=order.seed,
            photographs=True,
            framing_views=order.num_inputs,
        )

    def finish(self, prepared: DrawnBatch, order: Order, device: torch.device) -> Batch:
        """Render the views."""
        if device not in self.uploaded:
            self.uploaded[device] = self.photographs.to(device)
        made = prepared.render(
            device, photographs=self.uploaded[device], with_depth=order.with_depth
        )
        batch = Batch(
            image=made.image,
            world_from_camera=made.world_from_camera,
            intrinsics=made.intrinsics,
            num_inputs=order.num_inputs,
            depth=made.depth,
        )
        return batch.with_scene_pivot() if self.kind == "room" else batch


@cache
def _prints_alone() -> Photographs:
    return Photographs.of(draw_prints(PRINTS), PRINTS)


def named_source(name: str, *, framing: Kind, photographs: str | None = None) -> Source:
    """The source that `synthetic:object`, `synthetic:room` or a path of sets is.

    Args:
        name: One of these; a path is read as `SetSource` does.
        framing: How posed sets are brought into the model's space.
        photographs: Folder of photographs that synthetic surfaces also wear.

    Raises:
        ConfigError: If there is no such source.
        DatasetError: If a path holds no posed sets.
    """
    prefix, colon, kind = name.partition(":")
    if colon and prefix == "synthetic":
        return SyntheticSource(kind, photographs=photographs)
    if not Path(name).exists():
        raise ConfigError(
            f"there is no data source {name!r}",
            remedy="Use synthetic:object, synthetic:room or the path of posed sets.",
        )
    return SetSource(Path(name), framing=framing)
