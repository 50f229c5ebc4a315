"""Image files to arrays, safely: checked before they are decoded."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from nvs.errors import ImageError, reason

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MAX_PIXELS = 100_000_000
MAX_FLOAT = 2.0
"""White is 1 in floating point. So much may overshoot it and is clipped, as resampling
leaves behind; images with more are on another scale."""

_DAMAGED = (  # what Pillow's decoders raise on damaged files
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_image(
    path: Path | str,
    *,
    size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> UInt8[np.ndarray, "height width channel"]:
    """Decode an image to RGB, or to RGBA (straight alpha) if it has transparency.

    The header is read first: formats outside PNG, JPEG, WebP, TIFF and BMP and images
    of more than `max_pixels` are refused before any pixel is decoded. 16-bit,
    floating-point (0 is black, 1 is white) and greyscale images become 8-bit RGB.

    EXIF orientation is not applied, so that pixels stay where the camera's intrinsics
    say, with one exception: if the stored image does not have the size that the
    camera is for and the turned image has it, the intrinsics mean the turned image.

    Args:
        path: The image file.
        size: (height, width) that its camera is for; any if absent.
        max_pixels: The largest image that is decoded.

    Raises:
        ImageError: If the file is missing, of another format, too large, truncated,
            of another size than its camera, or in floating point of another scale.
    """
    with opened_image(Path(path), max_pixels) as image:
        stored = (image.height, image.width)
        if size is not None and stored != size:
            if stored != size[::-1] or not _lies_on_its_side(image):
                raise ImageError(
                    f"{stored[0]}×{stored[1]} pixels, its camera is for "
                    f"{size[0]}×{size[1]}",
                    remedy="Give the intrinsics of the image as it is on disk.",
                    subject=Path(path),
                )
            return _to_rgb(ImageOps.exif_transpose(image), path)
        image.load()
        return _to_rgb(image, path)


def image_size(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width in pixels as stored, from the header alone.

    Raises:
        ImageError: If the file is missing, of another format, too large or damaged.
    """
    with opened_image(Path(path), max_pixels) as image:
        return image.height, image.width


@contextmanager
def opened_image(path: Path, max_pixels: int = MAX_PIXELS) -> Generator[Image.Image]:
    """An image whose header is read and found good; pixels are not decoded yet.

    Raises:
        ImageError: If the file is missing, of another format, too large or damaged,
            then or when the block decodes it.
    """
    try:
        with _open(path) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(
                    f"{image.width}×{image.height} pixels, over the limit of "
                    f"{max_pixels}",
                    remedy="Shrink the image, or raise the limit if you trust it.",
                    subject=path,
                )
            yield image
    except FileNotFoundError as error:
        raise ImageError(
            "there is no such image",
            remedy="Restore it or drop its frame.",
            subject=path,
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"not a {', '.join(FORMATS)} image",
            remedy="Convert it, or take it out of the dataset.",
            subject=path,
        ) from error
    except _DAMAGED as error:
        raise ImageError(
            f"truncated or damaged ({reason(error)})",
            remedy="Copy the image again or drop its frame.",
            subject=path,
        ) from error


def _lies_on_its_side(image: Image.Image) -> bool:
    return image.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)


def _open(path: Path) -> Image.Image:
    """Read the header; our own limit on pixels stands in for Pillow's warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(path, formats=FORMATS)


def _to_rgb(
    image: Image.Image, path: Path | str
) -> UInt8[np.ndarray, "height width channel"]:
    if image.mode.startswith("I"):
        return _grey(np.asarray(image).astype(np.float64) / 257)
    if image.mode == "F":
        values = np.asarray(image).astype(np.float64)
        if not np.isfinite(values).all() or values.max() > MAX_FLOAT:
            raise ImageError(
                f"{path} holds floating-point values up to {values.max():g}, where 1 "
                "is white",
                remedy="Scale it to 0 to 1, or save it with 8 or 16 bits.",
            )
        return _grey(values * 255)
    transparent = "A" in image.getbands() or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))


def _grey(
    values: Float64[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width channel"]:
    """RGB of brightnesses from 0 to 255; what is beyond is clipped."""
    return np.repeat(np.rint(values.clip(0, 255)).astype(np.uint8)[..., None], 3, -1)
