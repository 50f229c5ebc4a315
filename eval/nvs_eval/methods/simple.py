"""Baselines without a network: what a score means when nothing was understood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.scene import PosedViews
from nvs.scene.quality import nearest_view
from nvs_eval.methods.base import Built


class _Simple:
    patch_size = 1

    def __init__(self, name: str) -> None:
        self.name = name
        self.about = {"method": name}

    def synchronise(self) -> None:
        """Nothing runs elsewhere."""


class NearestInput(_Simple):
    """Shows the input photograph whose camera is closest."""

    def __init__(self) -> None:
        super().__init__("nearest")

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Keep the photographs."""
        return _Nearest(views)


class MeanColour(_Simple):
    """Shows the mean colour of all input pixels."""

    def __init__(self) -> None:
        super().__init__("mean")

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Average the photographs."""
        return _Mean(views.image.double().mean(dim=(0, 2, 3)).float())


@dataclass(frozen=True)
class _Nearest:
    views: PosedViews

    @property
    def state_bytes(self) -> int:
        return self.views.image.numel()  # as 8-bit pixels

    def render(self, camera: Camera) -> Iterator[Float[Tensor, "height width 3"]]:
        for index in nearest_view(camera.center, self.views.camera.center):
            yield self.views.image[index].permute(1, 2, 0)


@dataclass(frozen=True)
class _Mean:
    colour: Float[Tensor, "3"]

    @property
    def state_bytes(self) -> int:
        return 3

    def render(self, camera: Camera) -> Iterator[Float[Tensor, "height width 3"]]:
        image = torch.ones(camera.height, camera.width, 3) * self.colour
        yield from [image] * len(camera)
