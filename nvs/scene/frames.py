"""What a dataset is: frames that know their camera and decode their image when asked.

Other packages add layouts by implementing `Reader` and naming it in the entry-point
group `nvs.readers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from nvs.cameras import Camera


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One photograph of a dataset, not decoded yet."""

    name: str
    """What to call it in messages."""
    camera: Camera
    """Its pinhole camera (a batch of one) in OpenCV axes, for the full image size."""
    load: Callable[[], UInt8[np.ndarray, "height width channel"]]
    """Decodes it: RGB or RGBA of the camera's size, lens distortion removed."""
    source: Path | None = None
    """The file whose pixels `load` gives, for copying; None if `load` changes them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Dataset:
    """What a reader finds at a path."""

    frames: tuple[Frame, ...]
    """Frames whose image is there, in the dataset's order."""
    missing: tuple[str, ...] = ()
    """Images that the dataset lists but does not have."""


@runtime_checkable
class Reader(Protocol):
    """What the entry points of the group `nvs.readers` are."""

    name: str
    """The layout's name, for `format=`."""

    def recognises(self, path: Path) -> bool:
        """Whether the path holds this layout; cheap, and never raises."""
        ...

    def read(self, path: Path) -> Dataset:
        """The frames of the dataset."""
        ...
