"""Pictures of a run's folder: truths, and what methods rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from nvs.scene.pictures import write_png
from nvs_eval.runs.records import safe_name


def picture_folder(
    out: Path,
    size: tuple[int, int],
    scene: str,
    *,
    num_views: int = 0,
    method: str | None = None,
) -> Path:
    """Where a scene's renders by a method are kept; its truths without a method."""
    sized = out / "pictures" / f"{size[0]}x{size[1]}"
    if method is None:
        return sized / "truth" / safe_name(scene)
    return sized / str(num_views) / safe_name(method) / safe_name(scene)


def picture_name(frame: str) -> str:
    """The file name of a frame's picture."""
    return safe_name(str(Path(frame).with_suffix(""))) + ".png"


def write_picture(
    folder: Path, frame: str, image: Float[np.ndarray, "height width 3"]
) -> None:
    """Write a picture of values in [0, 1].

    Raises:
        OutputError: If it cannot be written.
    """
    pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    write_png(folder / picture_name(frame), pixels)
