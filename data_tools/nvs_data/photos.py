"""Photographs in a folder, made ready for posing, and which pairs of them to match."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

from PIL import ExifTags, ImageOps

from nvs.errors import DatasetError
from nvs.file_kinds import IMAGE_SUFFIXES, is_image_name
from nvs.images import opened_image

JPEG_QUALITY = 95
"""For photographs that must be turned: losses are below their own noise."""

Matching = Literal["auto", "exhaustive", "sequential"]
MAX_EXHAUSTIVE = 150
"""Photographs up to which all pairs are matched: 11,175 of them, which take some
twenty minutes on one core."""
OVERLAP = 10
"""Photographs before and after each that are its neighbours in a sequence."""
CLOSING_STRIDE = 10
"""Of a sequence every tenth photograph is matched with every other such one, so that a
path that comes back closes, at a hundredth of the cost of all pairs."""


def list_photos(folder: Path) -> list[Path]:
    """The photographs in a folder, in the order of their names, numbers by value.

    Raises:
        DatasetError: If it is no folder or has no photograph.
    """
    if not folder.is_dir():
        raise DatasetError(
            f"{folder} is not a folder", remedy="Give the folder with the photographs."
        )
    photos = [file for file in folder.iterdir() if is_image_name(file.name)]
    if not photos:
        raise DatasetError(
            f"{folder} holds no photographs",
            remedy=f"Put files there that end in {', '.join(IMAGE_SUFFIXES)}.",
        )
    return sorted(photos, key=lambda file: (_natural(file.name), file.name))


def prepare_photos(photos: list[Path], folder: Path) -> list[str]:
    """Copy photographs into a folder, as COLMAP can read them.

    Blanks in names become `_`; WebP becomes PNG; photographs whose EXIF orientation is
    not upright are turned. What is already there is left, so that this can be resumed.

    Returns:
        The name of each in the folder, in the given order.

    Raises:
        DatasetError: If two photographs would get the same name.
        ImageError: If a photograph cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    for photo in photos:
        name = re.sub(r"\s", "_", photo.name)
        if photo.suffix.lower() == ".webp":
            name = Path(name).with_suffix(".png").name
        if name in names:
            raise DatasetError(
                f"{photo} and another photograph would both become {name}",
                remedy="Rename one of them.",
            )
        names.append(name)
        if not (folder / name).exists():
            part = folder / f".{name}.part"
            _copy_upright(photo, part)
            part.replace(folder / name)
    return names


def _copy_upright(photo: Path, destination: Path) -> None:
    with opened_image(photo) as image:
        if image.format == "WEBP":
            ImageOps.exif_transpose(image).save(destination, format="PNG")
        elif image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            upright = ImageOps.exif_transpose(image)
            upright.save(
                destination,
                format=image.format,
                exif=upright.getexif(),
                quality=JPEG_QUALITY,
            )
        else:
            image.load()
            shutil.copyfile(photo, destination)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A sorting key in which 9.jpg comes before 10.jpg."""
    parts = re.split(r"(\d+)", name)
    return [(1, int(p), "") if p.isdecimal() else (0, 0, p.lower()) for p in parts]


def photo_pairs(names: Sequence[str], matching: Matching) -> list[tuple[str, str]]:
    """Pairs to match, each once, the earlier photograph first."""
    if matching == "auto":
        matching = "exhaustive" if len(names) <= MAX_EXHAUSTIVE else "sequential"
    if matching == "exhaustive":
        return list(combinations(names, 2))
    return [
        (names[first], names[second])
        for first, second in combinations(range(len(names)), 2)
        if second - first <= OVERLAP
        or (first % CLOSING_STRIDE == 0 and second % CLOSING_STRIDE == 0)
    ]
