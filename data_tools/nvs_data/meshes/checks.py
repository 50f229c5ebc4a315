"""What trimesh skips without a word, found before: broken GLB files and images.

The container of GLB is described in section 4 of the glTF 2.0 specification: a header
of 12 bytes, then chunks of (length, type, data); the first is JSON, the second binary.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nvs.errors import DatasetError

MAX_TEXTURE_PIXELS = 1 << 26
MAX_TEXTURE_SIDE_PX = 4096

UNSUPPORTED_EXTENSIONS = frozenset(
    {"EXT_meshopt_compression", "KHR_draco_mesh_compression", "KHR_texture_basisu"}
)


def check_texture(data: bytes, place: str) -> None:
    """Check that an image is of a sensible size, then that it can be decoded.

    Args:
        data: The encoded image.
        place: What to call it in messages.

    Raises:
        DatasetError: If it is no image, is damaged or has more than 2²⁶ pixels.
    """
    smaller = f"Resize it; at most {MAX_TEXTURE_PIXELS} pixels are read."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_TEXTURE_PIXELS:
            raise DatasetError(
                f"{place} has {image.height}×{image.width} pixels", remedy=smaller
            )
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(f"{place} is too large ({error})", remedy=smaller) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(
            f"{place} is not an image that can be read ({error})",
            remedy="Download the model again, or convert the image to PNG or JPEG.",
        ) from error


def texture_pixels(
    image: Image.Image, *, opaque: bool
) -> UInt8[np.ndarray, "height width 4"]:
    """RGBA pixels, top row first, at most 4096 on the longer side.

    Args:
        image: As opened by Pillow.
        opaque: Whether to ignore the image's alpha channel.
    """
    rgba = image.convert("RGBA")
    rgba.thumbnail((MAX_TEXTURE_SIDE_PX, MAX_TEXTURE_SIDE_PX))
    if opaque:
        rgba.putalpha(255)
    return np.asarray(rgba)


def check_glb(data: bytes, place: str) -> None:
    """Check the container, the required extensions and every embedded image.

    Raises:
        DatasetError: If the file is truncated or is no GLB, if it needs compressed
            meshes or textures, or if an embedded image cannot be read.
    """
    try:
        header, binary = _chunks(data)
        required = set(header.get("extensionsRequired", [])) & UNSUPPORTED_EXTENSIONS
        images = [
            _embedded(image, header, binary) for image in header.get("images", [])
        ]
    except (ValueError, struct.error, KeyError, IndexError, TypeError) as error:
        raise DatasetError(
            f"{place} is not a complete GLB file ({error})",
            remedy="Download or export it again, as binary glTF 2.0.",
        ) from error
    if required:
        raise DatasetError(
            f"{place} needs the glTF extension {min(required)}",
            remedy="Export it without mesh or texture compression.",
        )
    for index, image in enumerate(images):
        if image is not None:
            check_texture(image, f"{place}: embedded image {index}")


def _chunks(data: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<4sII", data)
    if magic != b"glTF" or version != 2 or length > len(data):
        raise ValueError(f"header {data[:12].hex()}, {len(data)} bytes")
    json_bytes, _ = struct.unpack_from("<II", data, 12)
    header = json.loads(data[20 : 20 + json_bytes])
    return header, data[20 + json_bytes + 8 :]


def _embedded(
    image: dict[str, Any], header: dict[str, Any], binary: bytes
) -> bytes | None:
    if "bufferView" not in image:
        return None
    view = header["bufferViews"][image["bufferView"]]
    start = view.get("byteOffset", 0)
    return binary[start : start + view["byteLength"]]
