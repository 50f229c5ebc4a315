"""Image files to arrays, safely: checked before they are decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from nvs.errors import ImageError

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MAX_PIXELS = 100_000_000


def read_image(
    path: Path | str, *, max_pixels: int = MAX_PIXELS
) -> UInt8[np.ndarray, "height width channel"]:
    """Decode an image to RGB, or to RGBA (straight alpha) if it has transparency.

    The header is read first: formats outside PNG, JPEG, WebP, TIFF and BMP and images
    of more than `max_pixels` are refused before any pixel is decoded. 16-bit and
    greyscale images become 8-bit RGB. EXIF orientation is not applied, so that pixels
    stay where the camera's intrinsics say.

    Raises:
        ImageError: If the file is missing, of another format, too large or truncated.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(
                    f"{path} is {image.width}×{image.height} pixels, over the limit "
                    f"of {max_pixels}",
                    remedy="Shrink the image, or raise the limit if you trust it.",
                )
            image.load()
            return _to_rgb(image)
    except FileNotFoundError as error:
        raise ImageError(
            f"there is no image {path}", remedy="Restore it or drop its frame."
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{path} is not a {', '.join(FORMATS)} image",
            remedy="Convert it, or take it out of the dataset.",
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(
            f"{path} is truncated or damaged ({error})",
            remedy="Copy the image again or drop its frame.",
        ) from error


def _to_rgb(image: Image.Image) -> UInt8[np.ndarray, "height width channel"]:
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.float64) / 257
        return np.repeat(np.rint(grey.clip(0, 255)).astype(np.uint8)[..., None], 3, -1)
    transparent = "A" in image.getbands() or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))
