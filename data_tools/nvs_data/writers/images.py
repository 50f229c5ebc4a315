"""Images of frames to files: copied where nothing changes them, else as PNG."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from nvs.errors import ImageError
from nvs.file_kinds import IMAGE_SUFFIXES
from nvs.images import image_size
from nvs.scene.frames import Frame

_SAFE_STEM = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


def write_images(frames: Sequence[Frame], folder: Path) -> list[str]:
    """Write the image of every frame into a folder.

    Files keep the stems of the frames' names if these are unique and safe in every
    layout (letters, digits, `_`, `-` and `.`); else all are numbered.

    Returns:
        The name of each file.

    Raises:
        ImageError: If an image cannot be read or is of another size than its camera.
    """
    folder.mkdir(parents=True)
    return [
        _write_image(frame, folder / stem)
        for frame, stem in zip(frames, _stems(frames), strict=True)
    ]


def _stems(frames: Sequence[Frame]) -> list[str]:
    names = [re.split(r"[/\\]", frame.name)[-1] for frame in frames]
    stems = [
        name.rpartition(".")[0] if name.lower().endswith(IMAGE_SUFFIXES) else name
        for name in names
    ]
    unique = len({stem.lower() for stem in stems}) == len(stems)
    if unique and all(_SAFE_STEM.fullmatch(stem) for stem in stems):
        return stems
    return [f"{index:05d}" for index in range(len(frames))]


def _write_image(frame: Frame, stem: Path) -> str:
    size = (frame.camera.height, frame.camera.width)
    source = frame.source
    suffix = "" if source is None else source.suffix.lower()
    if source is not None and suffix in IMAGE_SUFFIXES and image_size(source) == size:
        target = stem.with_name(stem.name + suffix)
        shutil.copyfile(source, target)
        return target.name
    pixels = frame.load()
    if pixels.shape[:2] != size:
        raise ImageError(
            f"{frame.name} is {pixels.shape[0]}×{pixels.shape[1]} pixels, its camera "
            f"is for {size[0]}×{size[1]}",
            remedy="Give the intrinsics of the image as it is on disk.",
        )
    target = stem.with_name(stem.name + ".png")
    Image.fromarray(pixels).save(target)
    return target.name
