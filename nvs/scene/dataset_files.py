"""Files of datasets that nobody has checked yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.errors import CameraError, DatasetError, reason
from nvs.file_kinds import IMAGE_SUFFIXES


def read_json(file: Path) -> Any:
    """Content of a JSON file.

    Raises:
        DatasetError: If it cannot be read or is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
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


def find_image(folder: Path, name: str) -> Path | None:
    """The image of a name, tried with .png, .jpg and .jpeg if it has no known suffix.

    Returns:
        Its path inside the folder, or None if there is no such file.

    Raises:
        DatasetError: If the name leads outside the folder.
    """
    suffixes: tuple[str, ...] = ("",)
    if not name.lower().endswith(IMAGE_SUFFIXES):
        suffixes += IMAGE_SUFFIXES[:3]
    for suffix in suffixes:
        path = inside(folder, name + suffix)
        try:
            if path.is_file():
                return path
        except OSError as error:
            raise DatasetError(
                f"{name!r} is not a file name ({reason(error)})",
                remedy="Name files relative to the dataset folder.",
            ) from error
    return None


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
