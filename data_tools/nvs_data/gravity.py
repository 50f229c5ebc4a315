"""Which way is up, from the accelerometer's reading that iPhones leave in photographs.

Axes of a reading g are the phone's (x to the right of its screen, y to its top, z out
of it; at rest g points down, of length 1). In the frame of the rear camera, with OpenCV
axes and pixels as the sensor has them, whose right is the phone's bottom, it is
(−g_y, −g_x, −g_z); the orientation that turns the pixels upright turns it as well.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64
from PIL import ExifTags, Image

Vector: TypeAlias = tuple[float, float, float]

APPLE = b"Apple iOS\0\0\1MM"
"""What Apple's maker note begins with; a directory of big-endian entries follows."""
ACCELERATION = 8
"""Tag of the reading: three signed rationals."""
SIGNED_RATIONAL = 10
AT_REST = (0.8, 1.2)
"""Lengths in g of a reading that gravity dominates."""
AGREEMENT = 0.9
"""Least length of the mean of the photographs' unit vectors: cos of some 25°."""
TURNED = {1: (1, 0, 0, 1), 3: (-1, 0, 0, -1), 6: (0, -1, 1, 0), 8: (0, 1, -1, 0)}
"""Matrices that take x and y to those of the pixels turned upright, by orientation;
mirrored photographs are not those of a rear camera."""


def photo_gravity(image: Image.Image, orientation: int) -> Vector | None:
    """The direction of gravity in the frame of a photograph's upright pixels.

    Args:
        image: An opened photograph.
        orientation: How its stored pixels are turned upright, as EXIF numbers it.

    Returns:
        A unit vector with OpenCV axes, or None without a reading at rest.
    """
    reading = _reading(image)
    if reading is None or orientation not in TURNED:
        return None
    x, y, z = (-reading[1], -reading[0], -reading[2])
    length = float(np.linalg.norm(reading))
    if not AT_REST[0] <= length <= AT_REST[1]:
        return None
    xx, xy, yx, yy = TURNED[orientation]
    return (xx * x + xy * y) / length, (yx * x + yy * y) / length, z / length


def world_up(
    world_from_camera: Mapping[str, Float64[np.ndarray, "3 3"]],
    gravity: Mapping[str, Vector],
) -> Vector | None:
    """Up in the world of posed photographs, a unit vector.

    Args:
        world_from_camera: Rotations of the photographs, by name.
        gravity: What `photo_gravity` gave, by name.

    Returns:
        The mean over the photographs; None if none has a reading, or they disagree.
    """
    ups = [
        rotation @ -np.array(gravity[name])
        for name, rotation in world_from_camera.items()
        if name in gravity
    ]
    mean = np.mean(ups, axis=0) if ups else np.zeros(3)
    length = float(np.linalg.norm(mean))
    if length < AGREEMENT:
        return None
    x, y, z = (mean / length).tolist()
    return x, y, z


def _reading(image: Image.Image) -> Vector | None:
    """What Apple's maker note says, in g."""
    note: Any = None
    with suppress(Exception):  # metadata refuses no photograph
        note = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.MakerNote)
    if not isinstance(note, bytes) or not note.startswith(APPLE):
        return None
    with suppress(struct.error):
        (num_entries,) = struct.unpack_from(">H", note, len(APPLE))
        for at in range(len(APPLE) + 2, len(APPLE) + 2 + 12 * num_entries, 12):
            tag, kind, count, place = struct.unpack_from(">HHII", note, at)
            if (tag, kind, count) == (ACCELERATION, SIGNED_RATIONAL, 3):
                values = struct.unpack_from(">6i", note, place)
                if all(values[1::2]):
                    x, y, z = (a / b for a, b in zip(*[iter(values)] * 2, strict=True))
                    return x, y, z
    return None
