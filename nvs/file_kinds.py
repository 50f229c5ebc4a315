"""Which files of a dataset are images, and which may say something about cameras.

By their names, or by their first bytes; nothing is decoded. Names are relative POSIX
paths within the dataset.
"""

from __future__ import annotations

import re
from pathlib import Path

COMMON_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""Of images that any program reads."""
IMAGE_SUFFIXES = (*COMMON_SUFFIXES, ".avif", ".heic", ".heif", ".hif")
OTHER_SUFFIXES = (
    *(".gif", ".jxl", ".jp2", ".psd", ".exr", ".hdr", ".tga", ".svg"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef"),
)
"""Of pictures and raw photographs that are not read."""
CAMERA_SUFFIXES = (".json", ".txt", ".bin", ".npy", ".xml")
_CAMERA_NAMES = ("metadata",)
"""Files that say something about cameras and have no suffix: Record3D's."""
_UNUSED = ("points3D.bin", "points3D.txt", "frames.bin", "rigs.bin")
"""Files of COLMAP models that say nothing about cameras; points may be large."""
_MAGIC = (
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    ("image/tiff", re.compile(rb"II[*+]\x00|MM\x00[*+]")),
    ("image/bmp", re.compile(rb"BM")),
    ("image/avif", re.compile(rb"....ftypavi[fs]", re.DOTALL)),
    ("image/heic", re.compile(rb"....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL)),
)
IMAGE_TYPES = tuple(name for name, _ in _MAGIC)
MASK_FOLDERS = ("masks", "mask")
"""Folders of masks, beside the folder of the images."""
VIDEO_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
    ".3gp": "video/3gpp",
    ".mts": "video/mp2t",
}
"""Media types of videos by the suffix of their names."""
VIDEO_SUFFIXES = tuple(VIDEO_TYPES)


def is_image_name(name: str) -> bool:
    """Whether a file is called as images are."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not is_litter(name)


def is_mask_name(name: str) -> bool:
    """Whether a file lies where masks of images do."""
    return not set(MASK_FOLDERS).isdisjoint(name.split("/")[:-1])


def mask_name(image: str) -> str:
    """Where the mask of an image is written."""
    return f"{MASK_FOLDERS[0]}/{image.removeprefix('images/')}.png"


def is_unread_name(name: str) -> bool:
    """Whether a file is called as pictures and videos are that are no images to us."""
    suffixes = (*OTHER_SUFFIXES, *VIDEO_SUFFIXES)
    return name.lower().endswith(suffixes) and not is_litter(name)


def is_camera_name(name: str) -> bool:
    """Whether a file is called as those are that may say something about cameras."""
    last = name.rpartition("/")[2]
    return (
        (last.lower().endswith(CAMERA_SUFFIXES) or last in _CAMERA_NAMES)
        and last not in _UNUSED
        and not is_litter(name)
    )


def is_litter(name: str) -> bool:
    """Whether a file is one that operating systems leave in folders and archives."""
    return any(
        part.startswith((".", "__MACOSX", "@eaDir")) and part not in (".", "..")
        for part in name.split("/")
    )


def image_type(path: Path) -> str | None:
    """Media type of an image by its first bytes; None if it is none we know.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
    return next((name for name, magic in _MAGIC if magic.match(head)), None)
