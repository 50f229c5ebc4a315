"""Ways to cut a thing out of one view, given what is certain of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from nvs.errors import ConfigError

Method = Literal["grabcut", "rembg"]

ROUNDS = (4, 2)
"""Iterations of GrabCut, first and then."""
REMBG_MODEL = "u2net"

Pixels = UInt8[np.ndarray, "height width 3"]
Seeds = UInt8[np.ndarray, "height width"]
"""GrabCut's: certainly or probably background or thing."""
Mask = Bool[np.ndarray, "height width"]
Segmenter = Callable[[Pixels, Seeds, int], Mask]
"""Cuts the thing out of a view, in a first (0) or second (1) round."""


def segmenter(method: Method) -> Segmenter:
    """The way to cut a view by its name.

    Raises:
        ConfigError: If `rembg` or its model is not there.
    """
    return grabcut if method == "grabcut" else rembg()


def grabcut(image: Pixels, seeds: Seeds, round: int) -> Mask:
    """OpenCV's GrabCut, from its seeds."""
    labels = seeds.copy()
    if not _has_both(labels):
        return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    cv2.setRNGSeed(0)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(
        *(image, labels, (0, 0, 0, 0), models[0], models[1], ROUNDS[round]),
        mode=cv2.GC_INIT_WITH_MASK,
    )
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def rembg() -> Segmenter:
    """The network of the package rembg, which finds what is salient; seeds bound it.

    Its model is never fetched here: it is put in place beforehand.

    Raises:
        ConfigError: If the package is not installed, or the model not on this machine.
    """
    try:
        package: Any = import_module("rembg")
    except ImportError as error:
        raise ConfigError(
            "the method rembg needs the package rembg, which is not installed",
            remedy="Run: pip install 'rembg[cpu]'; or use the method grabcut.",
        ) from error
    home = Path(os.environ.get("U2NET_HOME", "~/.u2net")).expanduser()
    model = home / f"{REMBG_MODEL}.onnx"
    if not model.is_file():
        raise ConfigError(
            f"the method rembg needs its model at {model}",
            remedy=f"Fetch it with `rembg d {REMBG_MODEL}`, or use the method grabcut.",
        )
    session = package.new_session(REMBG_MODEL)

    def segment(image: Pixels, seeds: Seeds, round: int) -> Mask:
        salient: Any = package.remove(image, session=session, only_mask=True)
        return (np.asarray(salient) >= 128) & (seeds != cv2.GC_BGD)

    return segment


def _has_both(seeds: Seeds) -> bool:
    is_thing = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
    return bool(is_thing.any() and not is_thing.all())
