"""Names of files within a scene: relative POSIX paths that are safe everywhere."""

from __future__ import annotations

import re

from nvs.errors import DatasetError
from nvs.file_kinds import is_mask_name

MAX_NAME_BYTES = 1024
MAX_PART_BYTES = 255
"""Of a folder's or a file's own name, as file systems take them."""
MAX_SHOWN = 80

POSED_FOLDER = "posed"
"""Of a scene, or of its folder `images`: upright copies of photographs, and frames of a
video, that posing made."""
PROPOSED_FOLDER = "proposed"
"""Of a scene: masks that are neither accepted nor refused, by the path that they will
have, and previews of them, by that of their image."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
REMEDY = "Name files by a relative path with forward slashes, such as images/0001.jpg."


def check_file_name(name: str, what: str = "the file name") -> str:
    """The name, if it can be a file of a scene.

    Raises:
        DatasetError: If it is empty, absolute, longer than 1024 bytes in UTF-8, has a
            part that is empty, `.`, `..` or longer than 255 bytes, or holds a
            backslash, a drive letter, control characters or surrogates.
    """
    reason = _reason(name)
    if reason is not None:
        shown = name if len(name) <= MAX_SHOWN else name[:MAX_SHOWN] + "…"
        raise DatasetError(f"{what} {shown!r} {reason}", remedy=REMEDY)
    return name


def is_made_by_posing(path: str) -> bool:
    """Whether an image of a scene was made by posing, or is the mask of one."""
    inner = path.removeprefix("images/").removeprefix("masks/")
    return inner.startswith(f"{POSED_FOLDER}/")


def is_photograph(path: str) -> bool:
    """Whether an image of a scene is to be posed: no mask, and not made by posing."""
    return not is_made_by_posing(path) and not is_mask_name(path)


def _reason(name: str) -> str | None:
    if not name:
        return "is empty"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if size > MAX_NAME_BYTES:
        return f"has {size} bytes, over the limit of {MAX_NAME_BYTES}"
    longest = max(len(part.encode()) for part in name.split("/"))
    if longest > MAX_PART_BYTES:
        return f"has a part of {longest} bytes, over the limit of {MAX_PART_BYTES}"
    if _CONTROL.search(name):
        return "holds control characters"
    if "\\" in name:
        return "holds a backslash"
    if name.startswith("/"):
        return "is an absolute path"
    if _DRIVE.match(name):
        return "begins with a drive letter"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "has a part that is empty, `.` or `..`"
    return None
