"""Image files to arrays, safely: checked before they are decoded."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError, features

from nvs.colours import eight_bit, srgb
from nvs.errors import ImageError, MissingExtraError, about, reason
from nvs.file_kinds import image_type


def _plugins() -> tuple[str, ...]:
    """Formats that packages beside Pillow read, where these are installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return ()
    register_heif_opener()
    return ("HEIF",)


FORMATS = (
    *("PNG", "JPEG", "WEBP", "TIFF", "BMP"),
    *(("AVIF",) if features.check("avif") else ()),
    *_plugins(),
)
"""What is read on this machine."""
MAX_PIXELS = 100_000_000
LYING = (5, 6, 7, 8)
"""EXIF orientations of images that lie on their side."""

_DAMAGED = (  # what decoders raise on damaged files
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
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
    """Decode an image to sRGB, or with straight alpha if it has transparency.

    The header is read first: formats outside PNG, JPEG, WebP, TIFF, BMP, AVIF and HEIC
    and images of more than `max_pixels` are refused before any pixel is decoded. Of
    several pictures in one file the first is read. Depths and colours are brought to
    8-bit sRGB as `nvs.colours.srgb` says.

    EXIF orientation is not applied, so that pixels stay where the camera's intrinsics
    say, with one exception: if the stored image does not have the size that the
    camera is for and the turned image has it, the intrinsics mean the turned image.
    In TIFF and HEIC the orientation belongs to the format and is always applied.

    Args:
        path: The image file.
        size: (height, width) that its camera is for; any if absent.
        max_pixels: The largest image that is decoded.

    Raises:
        ImageError: If the file is missing, of another format, too large, truncated,
            of another size than its camera, or in floating point of another scale.
        MissingExtraError: If it is HEIC and pillow-heif is not installed.
    """
    with opened_image(Path(path), max_pixels) as image:
        stored = (image.height, image.width)
        if size is not None and stored != size:
            turn = orientation(image)
            if stored != size[::-1] or turn not in LYING:
                raise ImageError(
                    f"{stored[0]}×{stored[1]} pixels, its camera is for "
                    f"{size[0]}×{size[1]}",
                    remedy="Give the intrinsics of the image as it is on disk.",
                )
            return upright(srgb(image), turn)
        return srgb(image)


def image_size(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width in pixels as stored, from the header alone.

    Raises:
        ImageError: If the file is missing, of another format, too large or damaged.
        MissingExtraError: If it is HEIC and pillow-heif is not installed.
    """
    with opened_image(Path(path), max_pixels) as image:
        return image.height, image.width


@contextmanager
def opened_image(path: Path, max_pixels: int = MAX_PIXELS) -> Generator[Image.Image]:
    """An image whose header is read and found good; pixels are not decoded yet.

    Raises:
        ImageError: If the file is missing, of another format, too large or damaged,
            then or when the block decodes it.
        MissingExtraError: If it is HEIC and pillow-heif is not installed.
    """
    try:
        with about(path), _open(path, max_pixels) as image:
            _check_num_pixels(image.height, image.width, max_pixels)
            yield image
    except FileNotFoundError as error:
        raise ImageError(
            "there is no such image",
            remedy="Restore it or drop its frame.",
            subject=path,
        ) from error
    except UnidentifiedImageError as error:
        if image_type(path) is not None:
            raise _damaged(path, "its header cannot be read") from error
        raise ImageError(
            f"not a {', '.join(FORMATS)} image",
            remedy="Convert it, or take it out of the dataset.",
            subject=path,
        ) from error
    except _DAMAGED as error:
        raise _damaged(path, reason(error)) from error


def _damaged(path: Path, why: str) -> ImageError:
    return ImageError(
        f"truncated or damaged ({why})",
        remedy="Copy the image again or drop its frame.",
        subject=path,
    )


def orientation(image: Image.Image) -> int:
    """How an opened image is to be turned, as EXIF numbers it: 1 to 8, 1 is upright.

    Values that mean nothing, and metadata that cannot be read, count as upright; a
    TIFF does, since its pixels are turned when they are decoded.
    """
    if image.format == "TIFF":
        return 1
    try:
        with _quiet():
            value: Any = image.getexif().get(ExifTags.Base.Orientation, 1)
        value = int(value[0] if isinstance(value, tuple | bytes) else value)
    except _DAMAGED:
        return 1
    return value if 1 <= value <= 8 else 1


def upright(
    pixels: UInt8[np.ndarray, "height width channel"], orientation: int
) -> UInt8[np.ndarray, "turned_height turned_width channel"]:
    """Pixels turned as an EXIF orientation asks."""
    if orientation in LYING:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


@contextmanager
def _quiet() -> Generator[None]:
    """No warnings of Pillow: of size, since we have our own limit, and of metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def _open(path: Path, max_pixels: int) -> Image.Image:
    """Read the header, with a second try for files that Pillow is too strict about."""
    with _quiet():
        try:
            return Image.open(path, formats=FORMATS)
        except (UnidentifiedImageError, ValueError):
            kind = image_type(path)
            if kind == "image/png":
                return Image.open(io.BytesIO(_bare_png(path.read_bytes())))
            if kind == "image/tiff":
                return _open_tiff(path, max_pixels)
            if kind == "image/heic" and "HEIF" not in FORMATS:
                raise MissingExtraError("pillow-heif", "data") from None
            if kind == "image/avif" and "AVIF" not in FORMATS:
                raise ImageError(
                    "an AVIF image, which Pillow was built without",
                    remedy="Install a newer Pillow, or convert it.",
                ) from None
            raise


def _bare_png(content: bytes) -> bytes:
    """A PNG without the chunks that its pixels do not need, damaged ones among them."""
    kept, at = [content[:8]], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        if content[at + 4 : at + 8] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(content[at : at + 12 + length])
        at += 12 + length
    return b"".join(kept)


def _open_tiff(path: Path, max_pixels: int) -> Image.Image:
    """A TIFF that Pillow has no mode for, such as one of floating-point colours."""
    content = path.read_bytes()
    tags = TiffImagePlugin.ImageFileDirectory_v2(content[:8])
    file = io.BytesIO(content)
    file.seek(tags.next)
    tags.load(file)
    height, width = (
        tags[TiffImagePlugin.IMAGELENGTH],
        tags[TiffImagePlugin.IMAGEWIDTH],
    )
    _check_num_pixels(height, width, max_pixels)
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise UnidentifiedImageError(str(path))
    if values.ndim == 3:
        values = values[..., [2, 1, 0, 3][: values.shape[-1]]]
    image = Image.fromarray(eight_bit(values))
    image.format = "TIFF"
    return image


def _check_num_pixels(height: int, width: int, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise ImageError(
            f"{width}×{height} pixels, over the limit of {max_pixels}",
            remedy="Shrink the image, or raise the limit if you trust it.",
        )
