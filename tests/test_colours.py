"""Colours of every profile are brought to sRGB."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from nvs.images import read_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
D50_FROM_P3 = np.array(
    [[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]]
)
D50_FROM_SRGB = np.array(
    [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]
)
"""Columns are the primaries, in the white of profiles."""


def profile(primaries: np.ndarray, gamma: float, *, grey: bool = False) -> bytes:
    """An ICC profile of primaries and a gamma, or of a gamma alone."""

    def s15(values: np.ndarray | list[float]) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + s15([0.9642, 1.0, 0.8249])
    tags = {b"wtpt": white}
    if grey:
        tags[b"kTRC"] = curve
    else:
        for name, column in zip(b"rgb", primaries.T, strict=True):
            tags[bytes([name]) + b"XYZ"] = b"XYZ " + bytes(4) + s15(column)
            tags[bytes([name]) + b"TRC"] = curve
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"ours\0" + bytes(78 + 1)
    tags[b"desc"] = text.ljust(-(-len(text) // 4) * 4, b"\0")
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    space = b"GRAY" if grey else b"RGB "
    header = bytearray(128)
    header[8:12] = b"\x02\x40\0\0"
    header[12:24] = b"mntr" + space + b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = s15([0.9642, 1.0, 0.8249])
    whole = bytes(header) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def encoded(linear: np.ndarray) -> np.ndarray:
    """Levels of sRGB."""
    linear = linear.clip(0, 1)
    curve = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    return 255 * curve


LEVELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_wide_gamut_is_brought_to_srgb(tmp_path: Path, suffix: str) -> None:
    flat = np.broadcast_to(np.array([180, 90, 60], np.uint8), (16, 16, 3))
    path = tmp_path / f"wide.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(flat).save(path, icc_profile=profile(D50_FROM_P3, 2.2), **options)
    linear = (flat[0, 0] / 255) ** 2.2
    expected = encoded(np.linalg.inv(D50_FROM_SRGB) @ D50_FROM_P3 @ linear)
    assert np.abs(read_image(path)[8, 8] - expected).max() <= 3
    assert expected[0] > 185  # a red that sRGB says with a larger number


def test_alpha_stays_beside_colours_that_are_brought_over(tmp_path: Path) -> None:
    rgba = np.dstack([LEVELS, LEVELS[..., 0]])
    Image.fromarray(rgba).save(
        tmp_path / "a.png", icc_profile=profile(D50_FROM_P3, 2.2)
    )
    Image.fromarray(LEVELS).save(
        tmp_path / "b.png", icc_profile=profile(D50_FROM_P3, 2.2)
    )
    found = read_image(tmp_path / "a.png")
    assert np.array_equal(found[..., 3], rgba[..., 3])
    assert np.array_equal(found[..., :3], read_image(tmp_path / "b.png"))


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_of_another_gamma_is_brought_over(tmp_path: Path, bits: int) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    stored = levels if bits == 8 else levels.astype(np.uint16) * 257
    content = profile(D50_FROM_SRGB, 1.8, grey=True)
    Image.fromarray(stored).save(tmp_path / "a.png", icc_profile=content)
    found = read_image(tmp_path / "a.png")
    assert np.abs(found - encoded((levels / 255) ** 1.8)[..., None]).max() <= 3


@pytest.mark.parametrize(
    "content",
    [
        SRGB.tobytes(),
        b"",
        b"nonsense",
        SRGB.tobytes()[:200],
        profile(D50_FROM_SRGB, 1.8, grey=True),
    ],
    ids=["sRGB", "none", "nonsense", "cut short", "of grey images"],
)
def test_srgb_and_profiles_that_say_nothing_change_no_bit(
    tmp_path: Path, content: bytes
) -> None:
    Image.fromarray(LEVELS).save(tmp_path / "a.png", icc_profile=content)
    assert np.array_equal(read_image(tmp_path / "a.png"), LEVELS)


def test_cmyk_keeps_its_colours_with_a_foreign_profile(tmp_path: Path) -> None:
    image = Image.fromarray(LEVELS).convert("CMYK")
    image.save(tmp_path / "a.tif", icc_profile=profile(D50_FROM_P3, 2.2))
    assert np.array_equal(read_image(tmp_path / "a.tif"), LEVELS)
