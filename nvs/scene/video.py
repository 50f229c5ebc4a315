"""Rendered frames to a video file or a folder of pictures, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
from jaxtyping import UInt8

from nvs.errors import OutputError
from nvs.files import atomic_output
from nvs.scene.pictures import grid, write_png

QUALITY = 8
"""Of imageio's scale of 0 to 10 for H.264."""

Frames = Iterable[UInt8[np.ndarray, "height width 3"]]


def write_video(path: Path | str, frames: Frames, *, fps: float) -> int:
    """Encode an H.264 mp4 and return how many frames it has.

    An odd last row or column is dropped, since the codec needs even sizes.

    Raises:
        OutputError: If the file cannot be written; nothing half-written stays.
    """
    count = 0
    with atomic_output(path) as temporary:
        writer = imageio.get_writer(
            temporary,
            format="FFMPEG",
            fps=fps,
            codec="libx264",
            quality=QUALITY,
            macro_block_size=2,
        )
        with writer:
            for frame in frames:
                writer.append_data(frame)
                count += 1
    return count


def write_frames(folder: Path | str, frames: Frames) -> int:
    """Write `00000.png`, … into a new folder and return how many there are.

    Raises:
        OutputError: If the folder cannot be written; nothing half-written stays.
    """
    count = 0
    with atomic_output(folder) as temporary:
        temporary.mkdir()
        for frame in frames:
            write_png(temporary / f"{count:05d}.png", frame)
            count += 1
    return count


def write_output(path: Path | str, frames: Frames, *, fps: float) -> int:
    """Write an `.mp4`, a `.png`, or (no suffix) a folder of frames.

    Several frames make a sheet of a `.png`; one is the picture itself.

    Raises:
        OutputError: If the suffix is another one or the place cannot be written.
    """
    path = Path(path)
    check_output(path)
    if path.suffix == ".mp4":
        return write_video(path, frames, fps=fps)
    if path.suffix == ".png":
        images = list(frames)
        write_png(path, images[0] if len(images) == 1 else grid(images))
        return len(images)
    return write_frames(path, frames)


def check_output(path: Path) -> None:
    """Refuse an output name whose form says nothing we can write.

    Raises:
        OutputError: If the suffix is neither `.mp4`, `.png` nor absent, or if frames
            would replace a folder that holds something else.
    """
    if path.suffix not in (".mp4", ".png", ""):
        raise OutputError(
            f"cannot write {path}: unknown kind of output {path.suffix!r}",
            remedy="Name a .mp4 video, a .png sheet, or a folder for frames.",
        )
    if path.is_dir() and any(
        not (file.suffix == ".png" and file.stem.isdigit()) for file in path.iterdir()
    ):
        raise OutputError(
            f"the folder {path} holds other files than rendered frames",
            remedy="Name a new folder; an old one of frames would be replaced.",
        )
