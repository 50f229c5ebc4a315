"""Pixels of every depth and colour space as 8-bit sRGB."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped, UInt8
from PIL import Image, ImageCms

from nvs.errors import ImageError

MAX_FLOAT = 2.0
"""White is 1 in floating point. So much may overshoot it and is clipped, as resampling
leaves behind; images with more are on another scale."""
MAX_ALIKE = 2
"""Levels by which a profile may differ from sRGB and still be taken for it."""

_STEPS = np.linspace(0, 255, 9, dtype=np.uint8)
_RAMP = Image.fromarray(np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), -1)[:, 0])


def srgb(image: Image.Image) -> UInt8[np.ndarray, "height width channel"]:
    """Pixels of an opened image as RGB, or as RGBA (straight alpha) if transparent.

    16-bit, floating-point (0 is black, 1 is white), greyscale and CMYK images become
    8-bit RGB. Colours are brought from the profile that comes with the image to sRGB; a
    profile that is damaged, or of another kind of image, is left aside.

    Raises:
        ImageError: If it is in floating point of another scale.
    """
    image.load()
    profile = image.info.get("icc_profile")
    transparent = image.has_transparency_data
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        whole = image.mode != "F"
        grey = eight_bit(values.clip(0, 65535).astype(np.uint16) if whole else values)
        image, transparent = Image.fromarray(grey), False
    pixels = np.asarray(_by_profile(image, profile))
    if not transparent:
        return pixels
    alpha = np.asarray(image.convert("RGBA"))[..., 3:]
    return np.concatenate([pixels, alpha], axis=-1)


def eight_bit(
    values: Shaped[np.ndarray, "height width *channel"],
) -> UInt8[np.ndarray, "height width *channel"]:
    """Values of 8 or 16 bits, or in floating point with white at 1, in 8 bits.

    Raises:
        ImageError: If floating-point values are not finite, or are on another scale.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.uint16:
        return np.rint(values / 257).astype(np.uint8)
    if not np.isfinite(values).all() or values.max() > MAX_FLOAT:
        raise ImageError(
            f"holds floating-point values up to {values.max():g}, where 1 is white",
            remedy="Scale it to 0 to 1, or save it with 8 or 16 bits.",
        )
    scaled: Float64[np.ndarray, "height width *channel"] = values * 255.0
    return np.rint(scaled.clip(0, 255)).astype(np.uint8)


def _by_profile(image: Image.Image, content: bytes | None) -> Image.Image:
    """The image as RGB without alpha, its colours brought to sRGB."""
    try:
        if image.mode == "LAB":
            return _brought(image, ImageCms.createProfile("LAB"), "LAB")
        if content:
            profile: Any = ImageCms.ImageCmsProfile(io.BytesIO(content))
            space = profile.profile.xcolor_space
            if (space, image.mode) == ("CMYK", "CMYK"):
                return _brought(image, profile, "CMYK")
            if (space, image.mode) in (("GRAY", "L"), ("GRAY", "LA")):
                return _brought(image.convert("L"), profile, "L")
            if space == "RGB " and image.mode != "CMYK":
                return _brought(_rgb(image), profile, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        pass  # what the profile would have said is lost; the pixels are not
    return _rgb(image)


def _brought(
    image: Image.Image, profile: ImageCms.ImageCmsProfile, mode: str
) -> Image.Image:
    """The image from a profile to sRGB, or as it is if the two are alike."""
    transform = ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    if mode in ("L", "RGB"):
        ramp = _RAMP.convert(mode)
        change = np.asarray(transform.apply(ramp), int) - np.asarray(_rgb(ramp))
        if np.abs(change).max() <= MAX_ALIKE:
            return _rgb(image)
    return transform.apply(image)


def _rgb(image: Image.Image) -> Image.Image:
    """The image as RGB; what is under full transparency stays."""
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    return image.convert("RGB")
