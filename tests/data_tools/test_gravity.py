"""Up by gravity, from maker notes as iPhones write them."""

from __future__ import annotations

import io
import math
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image
from scipy.spatial.transform import Rotation

from nvs_data.gravity import APPLE, photo_gravity, world_up

LANDSCAPE, PORTRAIT = (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)
UPSIDE_DOWN, OTHER_LANDSCAPE = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
DOWN = (0.0, 1.0, 0.0)


def maker_note(reading: tuple[float, float, float], *, kind: int = 10) -> bytes:
    """Another tag, then the reading, whose numbers stand behind the directory."""
    entries = struct.pack(">HHII", 1, 9, 1, 14) + struct.pack(">HHII", 8, kind, 3, 46)
    numbers = b"".join(struct.pack(">2i", round(v * 10**6), 10**6) for v in reading)
    note = APPLE + struct.pack(">H", 2) + entries + bytes(4)
    return note.ljust(46, b"\0") + numbers


def exif_with(note: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Apple"
    if note is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = note
    return exif


def photograph(note: bytes | None) -> Image.Image:
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "JPEG", exif=exif_with(note))
    file.seek(0)
    return Image.open(file)


@pytest.mark.parametrize(
    ("reading", "orientation"),
    [(LANDSCAPE, 1), (PORTRAIT, 6), (OTHER_LANDSCAPE, 3), (UPSIDE_DOWN, 8)],
)
def test_a_level_phone_has_gravity_at_the_bottom_of_its_picture(
    reading: tuple[float, float, float], orientation: int
) -> None:
    down = photo_gravity(photograph(maker_note(reading)), orientation)
    assert down == pytest.approx(DOWN)


def test_a_phone_that_looks_down_has_gravity_before_it() -> None:
    tilted = (0.0, -math.cos(0.5), -math.sin(0.5))
    down = photo_gravity(photograph(maker_note(tilted)), 6)
    assert down == pytest.approx((0, math.cos(0.5), math.sin(0.5)), abs=1e-5)


@pytest.mark.parametrize(
    "note",
    [
        None,
        b"",
        b"Nikon" + maker_note(LANDSCAPE),
        maker_note(LANDSCAPE)[:40],
        maker_note(LANDSCAPE)[:50],
        maker_note(LANDSCAPE, kind=5),
        maker_note((0.0, 0.0, 0.0)),
        maker_note((0.0, -2.5, 0.0)),
        maker_note(LANDSCAPE)[:46] + bytes(24),
    ],
)
def test_what_says_nothing_is_nothing(note: bytes | None) -> None:
    assert photo_gravity(photograph(note), 1) is None


def test_a_mirrored_picture_says_nothing() -> None:
    assert photo_gravity(photograph(maker_note(LANDSCAPE)), 2) is None


def test_up_is_the_mean_of_the_photographs() -> None:
    up = np.array([0.2, -0.9, 0.4])
    up /= np.linalg.norm(up)
    rotations = Rotation.random(5, rng=0)
    world_from_camera = dict(zip("abcde", rotations.as_matrix(), strict=True))
    gravity = {
        name: tuple(-rotation.T @ up) for name, rotation in world_from_camera.items()
    }
    assert world_up(world_from_camera, gravity) == pytest.approx(tuple(up))
    del gravity["a"]
    assert world_up(world_from_camera, gravity) == pytest.approx(tuple(up))
    assert world_up(world_from_camera, {}) is None
    astray = dict.fromkeys(world_from_camera, (0.0, 1.0, 0.0))
    assert world_up(world_from_camera, astray) is None
