"""Posed views: the validated images and cameras that a scene is built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.errors import DatasetError, ImageError

WHITE = 0.9
"""Darkest channel of a pixel that counts as white."""
MOSTLY = 0.7
"""Share of the pixels of an image's border that are white before white."""


def border_white(
    image: Float[Tensor, "view 3 height width"],
) -> Float[Tensor, "view"]:
    """Share of white among the outermost pixels of each image."""
    darkest = image.amin(dim=1)
    ring = [darkest[:, 0], darkest[:, -1], darkest[:, :, 0], darkest[:, :, -1]]
    return (torch.cat(ring, dim=1) > WHITE).float().mean(dim=1)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedViews:
    """Images with their cameras, one size for all, checked on construction.

    Raises:
        CameraError: If a camera is unusable; the message names its view.
        DatasetError: If there are no views or the counts differ.
        ImageError: If an image does not match its camera or holds bad values.
    """

    image: Float[Tensor, "view 3 height width"]
    """RGB in [0, 1]."""
    camera: Camera
    """Cameras in the user's world, for this image size."""
    names: tuple[str, ...]
    """What to call each view: usually its file."""
    world_up: tuple[float, float, float] | None = None
    """The direction that is up in the world, where the layout says so."""

    def __post_init__(self) -> None:
        counts = (len(self.image), len(self.camera), len(self.names))
        if len(set(counts)) != 1 or counts[0] == 0:
            raise DatasetError(
                "there are {} images, {} cameras and {} names".format(*counts),
                remedy="Give at least one view, with one camera and name an image.",
            )
        size = (self.camera.height, self.camera.width)
        if self.image.shape[1:] != (3, *size):
            raise ImageError(
                f"images have shape {tuple(self.image.shape[1:])}, their cameras "
                f"are for {size[0]}×{size[1]}",
                remedy="Give RGB images of the size their cameras are for.",
            )
        self.camera.check(self.names)
        for name, image in zip(self.names, self.image, strict=True):
            low, high = torch.aminmax(image)
            if not (low >= 0 and high <= 1):
                raise ImageError(
                    f"{name}: pixel values run from {low:g} to {high:g}",
                    remedy="Images must be finite, in [0, 1].",
                )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int | slice | Sequence[int]) -> PosedViews:
        """Select views; an integer gives a set of one."""
        if isinstance(index, int):
            index = [index]
        chosen = range(len(self))[index] if isinstance(index, slice) else list(index)
        return replace(
            self,
            image=self.image[list(chosen)],
            camera=self.camera[list(chosen)],
            names=tuple(self.names[i] for i in chosen),
        )

    @property
    def has_white_background(self) -> bool:
        """Whether most images show white all around."""
        return float(border_white(self.image).quantile(0.5)) > MOSTLY

    def to(self, device: torch.device | str) -> PosedViews:
        """Move images and cameras."""
        return replace(self, image=self.image.to(device), camera=self.camera.to(device))
