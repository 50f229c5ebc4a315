"""What a method is, and the two simplest: what a score means without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.scene import PosedViews
from nvs.scene.quality import nearest_view

Images = Iterator[Float[Tensor, "height width 3"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What a method made of some input views."""

    state_bytes: int
    """Size of what rendering needs, beside the network."""
    render: Callable[[Camera], Images]
    """Images in [0, 1] of cameras in the scene's world."""


class Method(Protocol):
    """A way to get from input views to images of other cameras."""

    @property
    def name(self) -> str:
        """What results call it."""
        ...

    @property
    def about(self) -> Mapping[str, Any]:
        """What decides its results: weights and their digest, precision."""
        ...

    @property
    def patch_size(self) -> int:
        """Sides of images must be multiples of it."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        ...

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Take the input views in."""
        ...


def synchronise(method: Method) -> None:
    """Wait for a method's device, so that times can be read."""
    if method.device.type == "cuda":
        torch.cuda.synchronize(method.device)


class NearestInput:
    """Shows the input photograph whose camera is closest."""

    name = "nearest"
    about: Mapping[str, Any] = {"method": name}
    patch_size = 1
    device = torch.device("cpu")

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Keep the photographs."""

        def render(camera: Camera) -> Images:
            for index in nearest_view(camera.center, views.camera.center):
                yield views.image[index].permute(1, 2, 0)

        return Built(state_bytes=views.image.numel(), render=render)  # 8-bit pixels


class MeanColour:
    """Shows the mean colour of all input pixels."""

    name = "mean"
    about: Mapping[str, Any] = {"method": name}
    patch_size = 1
    device = torch.device("cpu")

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Average the photographs."""
        colour = views.image.double().mean(dim=(0, 2, 3)).float()

        def render(camera: Camera) -> Images:
            yield from [colour.expand(camera.height, camera.width, 3)] * len(camera)

        return Built(state_bytes=3, render=render)
