"""What trimesh skips without a word in a GLB file, found before it is loaded.

The container is described in section 4 of the glTF 2.0 specification: a header of 12
bytes, then chunks of (length, type, data); the first is JSON, the second binary.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from nvs.errors import DatasetError
from nvs_data.meshes.textures import check_texture

UNSUPPORTED_EXTENSIONS = frozenset(
    {"EXT_meshopt_compression", "KHR_draco_mesh_compression", "KHR_texture_basisu"}
)


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
