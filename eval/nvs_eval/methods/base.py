"""The interface of everything that can be evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.scene import PosedViews


class Built(Protocol):
    """What a method made of some input views."""

    @property
    def state_bytes(self) -> int:
        """Size of what rendering needs, beside the network."""
        ...

    def render(self, camera: Camera) -> Iterator[Float[Tensor, "height width 3"]]:
        """Images in [0, 1] of cameras in the scene's world."""
        ...


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

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Take the input views in."""
        ...

    def synchronise(self) -> None:
        """Wait for the device, so that times can be read."""
        ...
