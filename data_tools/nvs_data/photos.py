"""Photographs in a folder, made ready for posing, and which pairs of them to match."""

from __future__ import annotations

import re
import shutil
import struct
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, count
from pathlib import Path
from typing import Literal

from PIL import ExifTags, Image

from nvs.colours import srgb
from nvs.errors import DatasetError, ImageError, MissingExtraError
from nvs.file_kinds import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    is_image_name,
    is_unread_name,
)
from nvs.files import atomic_output
from nvs.images import opened_image, orientation, read_image, upright
from nvs.scene.image_files import ImageFiles
from nvs.scene.masks import masked
from nvs_data.gravity import Vector, photo_gravity

JPEG_QUALITY = 95
"""For photographs that must be written anew: losses are below their own noise."""
MAX_EXIF_BYTES = 65_000
"""More does not fit a JPEG."""
MAX_NAMED = 3
"""Files that a message names."""

Matching = Literal["auto", "exhaustive", "sequential"]
MAX_EXHAUSTIVE = 150
"""Photographs up to which all pairs are matched: 11,175 of them, which take some
twenty minutes on one core."""
OVERLAP = 10
"""Photographs before and after each that are its neighbours in a sequence."""
CLOSING_STRIDE = 10
"""Of a sequence every tenth photograph is matched with every other such one, so that a
path that comes back closes, at a hundredth of the cost of all pairs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A picture or video among the photographs that was not used."""

    name: str
    """Its path in the folder of the photographs."""
    reason: str
    """Why, and so what to do about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedPhotos:
    """Photographs that COLMAP can read."""

    names: tuple[str, ...]
    """Their files, in the order of the photographs."""
    renamed: Mapping[str, str]
    """What those were called that have another name now, by that name."""
    left_out: tuple[LeftOut, ...]
    """Photographs that cannot be read."""
    gravity: Mapping[str, Vector] = field(default_factory=dict[str, Vector])
    """What those say of gravity that say it (`nvs_data.gravity`), by name."""


def list_photos(folder: Path) -> list[Path]:
    """The photographs in a folder, in the order of their names, numbers by value.

    Raises:
        DatasetError: If it is no folder or has no photograph.
    """
    if not folder.is_dir():
        is_video = folder.is_file() and folder.suffix.lower() in VIDEO_SUFFIXES
        raise DatasetError(
            f"{folder} is a video" if is_video else f"{folder} is not a folder",
            remedy=f"Pose its frames: nvs data frames {folder} -o OUT --count 60 --pose"
            if is_video
            else "Give the folder with the photographs.",
        )
    photos = [file for file in folder.iterdir() if is_image_name(file.name)]
    if not photos:
        unused = list(unused_pictures(folder))
        raise DatasetError(
            "; ".join([f"{folder} holds no photographs", *summary(unused)]),
            remedy=f"Put files there that end in {', '.join(IMAGE_SUFFIXES)}.",
        )
    return sorted(photos, key=lambda file: (natural(file.name), file.name))


def photo_masks(folder: Path) -> dict[Path, Path]:
    """The masks of the photographs in a folder, which lie there or beside it."""
    real = folder.resolve()  # the photographs may be links, whose names count
    files = ImageFiles(folder, dataset=folder.parent)
    found = {photo: files.mask(real / photo.name) for photo in list_photos(folder)}
    return {
        photo: folder.parent / mask.relative_to(real.parent)
        for photo, mask in found.items()
        if mask is not None
    }


def prepare_mask(photo: Path, mask: Path, folder: Path) -> None:
    """Write the mask of a prepared photograph as COLMAP and readers look for it.

    Raises:
        ImageError: If it cannot be read or is of another shape than the photograph.
    """
    target = folder / f"{photo.name}.png"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        alpha = masked(read_image(photo)[..., :3], mask)[..., 3]
        with atomic_output(target) as temporary:
            Image.fromarray(alpha).save(temporary, format="PNG")


def unused_pictures(folder: Path, *, out: Path | None = None) -> Iterator[LeftOut]:
    """Pictures and videos in a folder that are not among its photographs.

    Args:
        folder: The folder of the photographs.
        out: A folder that may lie inside and is not looked at.
    """
    skipped = None if out is None else out.resolve()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if skipped is not None and file.resolve().is_relative_to(skipped):
            continue
        if "/" in name and (is_image_name(name) or is_unread_name(name)):
            yield LeftOut(name=name, reason="lies in a folder within the folder")
        elif is_unread_name(name):
            is_video = file.suffix.lower() in VIDEO_SUFFIXES
            yield LeftOut(
                name=name,
                reason="a video: `nvs data frames` takes photographs out of it"
                if is_video
                else "of a format that is not read: convert it to JPEG or PNG",
            )


def summary(left_out: Sequence[LeftOut]) -> list[str]:
    """What was left out and why, a line for each reason and kind of file."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in left_out:
        key = (one.reason, Path(one.name).suffix.lower())
        groups.setdefault(key, []).append(one.name)
    lines: list[str] = []
    for (reason, suffix), names in groups.items():
        named = ", ".join(names[:MAX_NAMED]) + (", …" if names[MAX_NAMED:] else "")
        lines.append(f"left out: {len(names)} {suffix} ({named}): {reason}")
    return lines


def prepare_photos(
    photos: Sequence[Path],
    folder: Path,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> PreparedPhotos:
    """Copy photographs into a folder, as COLMAP can read them.

    Upright JPEG and PNG of 8 bits are copied byte for byte. Others are written upright
    in 8-bit sRGB, as JPEG if a camera compressed them (JPEG, HEIC) and else as PNG.
    What is neither letter nor digit in names becomes `_`, and a number tells those
    apart that would be called the same. What is already there is left, so that this
    can be resumed; photographs that cannot be read are left out.

    Args:
        photos: The photographs.
        folder: Where to; made if absent.
        progress: Called with (photographs done, photographs in all) before each.

    Raises:
        DatasetError: If the folder is that of the photographs, and one of them would
            need another name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    renamed: dict[str, str] = {}
    left_out: list[LeftOut] = []
    gravity: dict[str, Vector] = {}
    taken: set[str] = set()
    for done, photo in enumerate(photos):
        progress(done, len(photos))
        try:
            with opened_image(photo) as image:
                name = _free_name(photo.stem, _suffix(photo, image), taken)
                if name != photo.name and photo.parent.resolve() == folder.resolve():
                    raise DatasetError(
                        f"{photo} is to be used in place, but must become {name}",
                        remedy="Move the photographs to another folder.",
                    )
                if not (folder / name).exists():
                    part = folder / f".{name}.part"
                    _write_upright(image, photo, part)
                    part.replace(folder / name)
                down = photo_gravity(image, orientation(image))
        except (ImageError, MissingExtraError) as error:
            missing = isinstance(error, MissingExtraError)
            reason = f"{error.detail}. {error.remedy}" if missing else error.detail
            left_out.append(LeftOut(name=photo.name, reason=reason))
            continue
        taken.add(name.casefold())
        names.append(name)
        if down is not None:
            gravity[name] = down
        if name != photo.name:
            renamed[name] = photo.name
    return PreparedPhotos(
        names=tuple(names),
        renamed=renamed,
        left_out=tuple(left_out),
        gravity=gravity,
    )


def _free_name(stem: str, suffix: str, taken: set[str]) -> str:
    """A name that COLMAP's files of lines can hold, and nothing else has."""
    stem = re.sub(r"[^\w.-]|^[.-]", "_", unicodedata.normalize("NFC", stem))
    names = (
        f"{stem}{'' if number == 1 else f'_{number}'}{suffix}" for number in count(1)
    )
    return next(name for name in names if name.casefold() not in taken)


def _suffix(photo: Path, image: Image.Image) -> str:
    kept = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",)}[_written_as(image)]
    return photo.suffix if photo.suffix.lower() in kept else kept[0]


def _written_as(image: Image.Image) -> Literal["JPEG", "PNG"]:
    is_lossy = image.format in ("JPEG", "MPO", "HEIF")
    return "JPEG" if is_lossy and not image.has_transparency_data else "PNG"


def _write_upright(image: Image.Image, photo: Path, destination: Path) -> None:
    turn = orientation(image)
    is_plain = image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB")
    is_plain |= image.format == "PNG" and image.mode in ("L", "RGB", "RGBA")
    if is_plain and turn == 1:
        image.load()
        shutil.copyfile(photo, destination)
        return
    pixels = upright(srgb(image), turn)
    Image.fromarray(pixels).save(
        destination,
        format=_written_as(image),
        exif=upright_exif(image.info.get("exif") or b""),
        quality=JPEG_QUALITY,
        subsampling=0,
    )


def upright_exif(content: bytes) -> bytes:
    """EXIF with the orientation set to upright and every other byte as it was.

    Nothing, if it cannot be understood or is more than a JPEG holds.
    """
    start = 6 if content.startswith(b"Exif\0\0") else 0
    order = {b"II": "<", b"MM": ">"}.get(content[start : start + 2])
    if order is None or len(content) > MAX_EXIF_BYTES:
        return b""
    changed = bytearray(content)
    try:
        (at,) = struct.unpack_from(f"{order}I", content, start + 4)
        (num_tags,) = struct.unpack_from(f"{order}H", content, start + at)
        for place in range(start + at + 2, start + at + 2 + 12 * num_tags, 12):
            (tag,) = struct.unpack_from(f"{order}H", content, place)
            if tag == ExifTags.Base.Orientation:
                struct.pack_into(f"{order}HIHH", changed, place + 2, 3, 1, 1, 0)
    except struct.error:
        return b""
    return bytes(changed)


def natural(name: str) -> list[tuple[int, int, str]]:
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
