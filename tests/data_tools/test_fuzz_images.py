"""Damaged images of every allowed format: decoded, or refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nvs.errors import ImageError
from nvs.images import FORMATS, image_size, read_image

SIZE = (12, 16)
KINDS = {
    "png": ("PNG", "RGBA", {}),
    "png16": ("PNG", "I;16", {}),
    "palette": ("PNG", "P", {}),
    "jpeg": ("JPEG", "RGB", {"exif": True}),
    "cmyk": ("JPEG", "CMYK", {}),
    "webp": ("WEBP", "RGBA", {"lossless": True, "exif": True}),
    "tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "bmp": ("BMP", "RGB", {}),
    "heic": ("HEIF", "RGB", {"exif": True}),
}


def _encoded(kind: str) -> bytes:
    form, mode, options = KINDS[kind]
    if form not in FORMATS:
        pytest.skip("pillow-heif is not installed")
    rng = np.random.default_rng(0)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 2**16, SIZE, np.uint16))
    else:
        noise = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        image = Image.fromarray(noise).convert(mode)
    options = dict(options)
    if options.pop("exif", False):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damage_is_named_or_harmless(
    kind: str, tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(_encoded(kind))
    places = st.integers(0, len(content) - 1) | st.integers(
        0, min(120, len(content) - 1)
    )
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(places)] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    file = tmp_path / "image"
    file.write_bytes(content[:end])
    declared = data.draw(st.sampled_from([None, SIZE, SIZE[::-1]]))
    try:
        pixels = read_image(file, size=declared, max_pixels=100_000)
    except ImageError as error:
        message = str(error)
    else:
        message = ""
        stored = image_size(file)
        assert pixels.shape[:2] in {stored, stored[::-1]}
        assert declared is None or pixels.shape[:2] == declared
    assert not message or str(file) in message


@pytest.mark.parametrize("kind", KINDS)
def test_intact_images_are_read(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(_encoded(kind))
    assert image_size(file) == SIZE
    assert read_image(file, size=SIZE).shape[:2] == SIZE
