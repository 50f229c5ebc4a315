"""Photographs for surfaces, out of the textures of games and models.

Such archives hold several images for one material: the colours (the diffuse map) and,
beside them, where it bends, shines or glows. They are told apart by the ends of their
names, as the Quake and Doom families of games have them, and by their colours.

    folder/00000.jpg, …     square, at most so many pixels a side
    folder/sources.json     what was asked for, and where each picture is from
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nvs.errors import DatasetError, OutputError
from nvs.file_kinds import IMAGE_SUFFIXES, is_litter
from nvs.files import atomic_output
from nvs.scene.pictures import shrunk
from nvs.scene.resize import on_white
from nvs_data import containers
from nvs_data.meshes.checks import check_texture, texture_pixels

SOURCES_FILE = "sources.json"
SUFFIXES = (*IMAGE_SUFFIXES, ".tga")
MAP_ENDINGS = frozenset(
    "nm nrm norm normal normals local sm spec specular gloss rm rough roughness gm "
    "glow luma add fx pls bump height disp displacement ao occlusion blend".split()
)
"""Last words of names of maps that do not hold the colours."""
DOUBTFUL_ENDINGS = frozenset("n s h e metal alpha mask".split())
"""The same, if the name without it is there too."""
SMALLEST_SIDE_PX = 64
PLAIN_DEVIATION = 4.0
"""Of 255: an image that varies less has nothing to show."""
NORMAL_COLOR, NORMAL_DISTANCE = (128.0, 128.0, 250.0), 24.0
"""Mean colour of a map of directions, and how far from it one may be."""
SOLID_SHARE = 0.5
"""Mean opacity below which an image is a decal rather than a surface."""
ALIKE_SIDE_PX, ALIKE_DIFFERENCE = 16, 2.0
"""Side at which pictures are compared, and the mean difference, of 255, of repeats."""
JPEG_QUALITY = 92
_logger = logging.getLogger("nvs.data")


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What became of the images found."""

    kept: int
    """Pictures in the folder."""
    left_out: dict[str, int]
    """Other images, by reason."""
    present: bool
    """Whether the folder held all of this already."""


def prepare_textures(
    paths: Sequence[Path],
    folder: Path,
    *,
    size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Write the diffuse maps of archives and folders as small square pictures.

    The middle of each is kept, on white where it is transparent. Images that look like
    an earlier one, are damaged, plain, mostly transparent or less than 64 pixels high
    or wide are left out.

    Args:
        paths: Zip archives under any name, such as `.pk3`, and folders, which are
            searched to any depth for images.
        folder: Written whole or not at all; nothing is done if it holds the same
            already.
        size: Largest side of a picture in pixels.
        progress: Called with the number of images seen, and of all.

    Raises:
        DatasetError: If a path is missing, an archive is damaged or unsafe, or nothing
            is left.
        OutputError: If the folder holds anything else, or cannot be written.
    """
    asked = {"size": size, "from": [_stamp(path) for path in paths]}
    if (before := _present(folder, asked)) is not None:
        return before
    found = [(path, member) for path in paths for member in _images(path)]
    names = {_stem(member) for _, member in found}
    left_out: Counter[str] = Counter()
    sources: dict[str, str] = {}
    seen = np.zeros((0, ALIKE_SIDE_PX, ALIKE_SIDE_PX, 3), np.float32)
    with atomic_output(folder) as unfinished:
        unfinished.mkdir()
        for done, (path, member) in enumerate(found, start=1):
            picture = _picture(path, member, names, size)
            if not isinstance(picture, str):
                small = shrunk(picture, ALIKE_SIDE_PX).astype(np.float32)
                difference = np.abs(seen - small).mean(axis=(1, 2, 3))
                if (difference < ALIKE_DIFFERENCE).any():
                    picture = "repeated"
                else:
                    seen = np.concatenate([seen, small[None]])
            if isinstance(picture, str):
                left_out[picture] += 1
            else:
                name = f"{len(sources):05d}.jpg"
                sources[name] = f"{path.name}/{member}"
                Image.fromarray(picture).save(unfinished / name, quality=JPEG_QUALITY)
            if progress is not None:
                progress(done, len(found))
        if not sources:
            raise DatasetError(
                f"{', '.join(map(str, paths))}: no diffuse map among {len(found)} "
                f"images ({dict(left_out)})",
                remedy="Give archives or folders of textures.",
            )
        record = {"asked": asked, "left_out": left_out, "sources": sources}
        (unfinished / SOURCES_FILE).write_text(json.dumps(record, indent=1) + "\n")
    return Prepared(kept=len(sources), left_out=dict(left_out), present=False)


def is_other_map(member: str, stems: set[str]) -> bool:
    """Whether a name is that of a normal, gloss, glow or height map.

    Args:
        member: Path of the image.
        stems: Paths of all images there are, in small letters without suffixes.
    """
    whole, _, ending = _stem(member).rpartition("_")
    return ending in MAP_ENDINGS or (ending in DOUBTFUL_ENDINGS and whole in stems)


def is_normal_map(image: UInt8[np.ndarray, "height width 3"]) -> bool:
    """Whether an image has the bluish mean colour of directions out of a surface."""
    mean = image.reshape(-1, 3).mean(axis=0)
    return float(np.abs(mean - NORMAL_COLOR).max()) < NORMAL_DISTANCE


def is_plain(image: UInt8[np.ndarray, "height width 3"]) -> bool:
    """Whether an image has nearly one colour only."""
    return float(image.reshape(-1, 3).std(axis=0).max()) < PLAIN_DEVIATION


def _picture(
    path: Path, member: str, stems: set[str], size: int
) -> UInt8[np.ndarray, "side side 3"] | str:
    """The middle of an image, or why it is left out."""
    if is_other_map(member, stems):
        return "other_map"
    place = f"{path}/{member}"
    try:
        data = containers.read(path, member)
        check_texture(data, place)
    except DatasetError as error:
        _logger.warning("%s is left out: %s", place, error.problem)
        return "damaged"
    rgba = texture_pixels(Image.open(io.BytesIO(data)), opaque=False)
    side = min(rgba.shape[:2])
    if side < SMALLEST_SIDE_PX:
        return "small"
    rgba = shrunk(_middle(rgba), size)
    if rgba[..., 3].mean() < 255 * SOLID_SHARE:
        return "transparent"
    square = np.rint(on_white(rgba) * 255).astype(np.uint8)
    if is_plain(square):
        return "plain"
    return "normal_map" if is_normal_map(square) else square


def _middle(
    image: UInt8[np.ndarray, "height width 4"],
) -> UInt8[np.ndarray, "side side 4"]:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def _images(path: Path) -> Iterator[str]:
    for member in containers.members(path):
        if member.lower().endswith(SUFFIXES) and not is_litter(member):
            yield member


def _stem(member: str) -> str:
    return re.sub(r"\.\w+$", "", member.lower())


def _stamp(path: Path) -> list[Any]:
    """Name and size in bytes of an archive; name and number of files of a folder."""
    if not path.exists():
        raise DatasetError(
            f"{path} does not exist",
            remedy="Give archives or folders of textures.",
        )
    if path.is_dir():
        return [path.name, len(containers.members(path))]
    return [path.name, path.stat().st_size]


def _present(folder: Path, asked: dict[str, Any]) -> Prepared | None:
    """What a folder holds if it is what is asked for; None if there is no folder."""
    if not folder.exists():
        return None
    try:
        record = json.loads((folder / SOURCES_FILE).read_text(encoding="utf-8"))
        sources, left_out = record["sources"], record["left_out"]
        missing = [name for name in sources if not (folder / name).is_file()]
        if record["asked"] == asked and not missing:
            return Prepared(kept=len(sources), left_out=left_out, present=True)
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise OutputError(
        f"{folder} is there already and holds something else",
        remedy="Delete it or name a new folder.",
    )
