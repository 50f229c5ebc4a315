"""Files of datasets that nobody has checked yet."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.errors import CameraError, DatasetError, reason

_BYTE_ORDER_MARKS = (  # that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(file: Path, *, limit_bytes: int = -1) -> str:
    """Text of another program: UTF-8 or UTF-16, with or without a byte order mark.

    Args:
        file: The file.
        limit_bytes: Read no more than its beginning; all of it if negative.

    Returns:
        The text, whose lines end in a line feed alone.

    Raises:
        DatasetError: If it cannot be read or is no such text.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(limit_bytes)
        errors = "strict" if limit_bytes < 0 else "ignore"  # cut within a character
        text = content.decode(_encoding(content), errors)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"not readable as text ({reason(error)})",
            remedy="Check that the file is complete, and save it as UTF-8.",
            subject=file,
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return encoding
    # Without a mark they begin with a character of ASCII: one of two bytes is zero.
    zero = [byte == 0 for byte in content[:2]]
    if zero == [False, True]:
        return "utf-16-le"
    return "utf-16-be" if zero == [True, False] else "utf-8"


def read_json(file: Path) -> Any:
    """Content of a JSON file.

    Raises:
        DatasetError: If it cannot be read or is not JSON.
    """
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"not readable JSON ({reason(error)})",
            remedy="Check that the file is complete.",
            subject=file,
        ) from error


def inside(folder: Path, name: str) -> Path:
    """The path of a file that must lie inside a folder, links resolved.

    Raises:
        DatasetError: If it is absolute, leads outside or is no file name at all.
    """
    try:
        path = (folder / name).resolve()
        within = path.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise DatasetError(
            f"{name!r} is not a file name ({reason(error)})",
            remedy="Name files relative to the dataset folder.",
        ) from error
    if not within:
        raise DatasetError(
            f"{name!r} leads outside the folder",
            remedy="Name files relative to the dataset folder, without `..` or links.",
        )
    return path


def is_file(path: Path) -> bool:
    """Whether there is a file; False also where one may not look."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def inverse(transform: Float64[Tensor, "4 4"], where: str) -> Float64[Tensor, "4 4"]:
    """The inverse of a transform; one that is not finite is returned as it is.

    Raises:
        CameraError: If it has none.
    """
    if not torch.isfinite(transform).all():
        return transform
    try:
        return torch.linalg.inv(transform)
    except RuntimeError as error:
        raise CameraError(
            f"{where} cannot be inverted", remedy="It must be a rigid transform."
        ) from error
