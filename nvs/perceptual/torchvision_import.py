"""Importing torchvision beside a torch that its compiled half does not fit."""

from __future__ import annotations

import importlib
import re
import sys
from types import ModuleType

import torch

from nvs.errors import MissingExtraError

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""Operators that importing torchvision refers to, though no backbone uses them."""

_libraries: list[torch.library.Library] = []


def import_torchvision(*, extra: str, otherwise: str) -> ModuleType:
    """The module `torchvision`.

    Raises:
        MissingExtraError: If it is not installed; `extra` installs it, and `otherwise`
            says how to do without.
    """
    for _ in range(len(SCHEMAS) + 1):
        try:
            return importlib.import_module("torchvision")
        except ImportError as error:
            raise MissingExtraError(
                "torchvision", extra, otherwise=otherwise
            ) from error
        except RuntimeError as error:
            missing = re.search(
                r"operator torchvision::(\w+) does not exist", str(error)
            )
            if missing is None or missing[1] not in SCHEMAS:
                raise
            library = torch.library.Library(
                "torchvision", "DEF" if not _libraries else "FRAGMENT"
            )
            library.define(SCHEMAS[missing[1]])
            _libraries.append(library)
            for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
                del sys.modules[name]
    raise AssertionError("each round defines another operator")
