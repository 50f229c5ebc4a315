"""Renders: cameras go out, pictures come back as bytes, or as arrays."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nvs.api.cameras import LookAt, PosedCamera, PosedCameraFov
from nvs.client.errors import ServiceAnswerError, ServiceError
from nvs.client.transport import Transport, scene_path
from nvs.files import atomic_output

MAX_BATCH = 64
"""Cameras of one request, unless the service takes fewer."""
TIMING = re.compile(r"(\w+);\s*dur=([\d.]+)")

Camera = PosedCamera | PosedCameraFov | LookAt | Mapping[str, Any]
"""One of the three forms, or the same fields as a mapping that the service checks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A rendered picture as the service encoded it."""

    data: bytes
    format: str
    """png, jpeg, webp, or float32: raw little-endian rows of RGB in [0, 1]."""
    height: int
    width: int
    timings_ms: Mapping[str, float] = field(default_factory=dict[str, float])
    """Milliseconds in the queue, loading the scene, in the model, encoding."""
    tier: str | None = None
    """Where the service had the scene: device, host or disk."""

    def array(self) -> NDArray[Any]:
        """(height, width, 3) float32 for float32, else uint8; alpha is a 4th channel.

        Raises:
            ServiceAnswerError: If the data is not such a picture.
        """
        try:
            if self.format == "float32":
                values = np.frombuffer(self.data, "<f4").astype(np.float32)
                return values.reshape(self.height, self.width, 3)
            with Image.open(io.BytesIO(self.data), formats=[self.format]) as image:
                return np.asarray(image)
        except (OSError, ValueError) as error:
            raise ServiceAnswerError(
                f"the service did not send a {self.format} picture ({error})",
                remedy="Try again; a proxy on the way may be at fault.",
            ) from error

    def save(self, path: Path | str) -> None:
        """Write the bytes as they are to a file, atomically."""
        with atomic_output(path) as temporary:
            temporary.write_bytes(self.data)


def camera_to_json(camera: Camera) -> dict[str, Any]:
    """The fields of a camera as the service reads them."""
    return dict(camera) if isinstance(camera, Mapping) else camera.model_dump()


async def rendered(
    transport: Transport, scene_id: str, camera: Camera, options: Mapping[str, Any]
) -> Picture:
    """One picture; options are the other fields of the request."""
    response = await transport.send(
        "POST",
        scene_path(scene_id, "render"),
        json={"camera": camera_to_json(camera), **options},
    )
    return _picture(response.content, response, options)


async def rendered_batch(
    transport: Transport,
    scene_id: str,
    cameras: Sequence[Camera],
    options: Mapping[str, Any],
) -> list[Picture]:
    """Pictures in the order of their cameras; as many requests as it takes."""
    pictures: list[Picture] = []
    most = MAX_BATCH
    while len(pictures) < len(cameras):
        start = len(pictures)
        some = [camera_to_json(one) for one in cameras[start : start + most]]
        try:
            response = await transport.send(
                "POST",
                scene_path(scene_id, "renders"),
                json={"cameras": some, **options},
                headers={"Accept": "application/zip"},
            )
        except ServiceError as error:
            if error.field != "cameras" or len(some) == 1:
                raise
            most = len(some) // 2
        else:
            contents = _unpacked(response.content, len(some))
            pictures += [_picture(data, response, options) for data in contents]
    return pictures


def _unpacked(data: bytes, count: int) -> list[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = sorted(archive.namelist())
            if len(names) != count:
                raise ValueError(f"{len(names)} pictures for {count} cameras")
            return [archive.read(name) for name in names]
    except (zipfile.BadZipFile, ValueError) as error:
        raise ServiceAnswerError(
            f"the service did not send a zip of the pictures ({error})",
            remedy="Try again; a proxy on the way may be at fault.",
        ) from error


def _picture(
    data: bytes, response: httpx.Response, options: Mapping[str, Any]
) -> Picture:
    stated = response.headers.get("Server-Timing", "")
    return Picture(
        data=data,
        format=options["format"],
        height=options["height"],
        width=options["width"],
        timings_ms={name: float(value) for name, value in TIMING.findall(stated)},
        tier=response.headers.get("NVS-Cache-Tier"),
    )
