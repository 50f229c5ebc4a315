"""Renders: pictures as bytes, or as arrays."""

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

from nvs.client.cameras import Camera, camera_to_json
from nvs.client.errors import ServiceAnswerError, ServiceError
from nvs.client.scenes import scene_path
from nvs.client.steps import Call, Flow, answer
from nvs.files import atomic_output

MAX_BATCH = 64
"""Cameras of one request, unless the service takes fewer."""
"""Cameras that the service takes in one request."""
TIMING = re.compile(r"(\w+);\s*dur=([\d.]+)")


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


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureOptions:
    """How pictures are to be."""

    height: int
    width: int
    format: str = "png"
    quality: int = 90
    background: str = "model"

    def to_json(self) -> dict[str, Any]:
        """The fields of a request."""
        return {name: getattr(self, name) for name in self.__slots__}


def render(scene_id: str, camera: Camera, options: PictureOptions) -> Flow[Picture]:
    """One picture."""
    body = options.to_json() | {"camera": camera_to_json(camera)}
    path = scene_path(scene_id, "render")
    response = yield from answer(Call(method="POST", path=path, json=body))
    return Picture(
        data=response.content,
        format=options.format,
        height=options.height,
        width=options.width,
        timings_ms=_timings(response),
        tier=response.headers.get("NVS-Cache-Tier"),
    )


def render_batch(
    scene_id: str, cameras: Sequence[Camera], options: PictureOptions
) -> Flow[list[Picture]]:
    """Pictures in the order of their cameras; as many requests as it takes."""
    pictures: list[Picture] = []
    most = MAX_BATCH
    while len(pictures) < len(cameras):
        start = len(pictures)
        some = [camera_to_json(one) for one in cameras[start : start + most]]
        call = Call(
            method="POST",
            path=scene_path(scene_id, "renders"),
            json=options.to_json() | {"cameras": some},
            headers={"Accept": "application/zip"},
        )
        try:
            response = yield from answer(call)
        except ServiceError as error:
            if error.field != "cameras" or len(some) == 1:
                raise
            most = len(some) // 2
        else:
            pictures += _unpacked(response, len(some), options)
    return pictures


def _unpacked(
    response: httpx.Response, count: int, options: PictureOptions
) -> list[Picture]:
    try:
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            names = sorted(archive.namelist())
            if len(names) != count:
                raise ValueError(f"{len(names)} pictures for {count} cameras")
            contents = [archive.read(name) for name in names]
    except (zipfile.BadZipFile, ValueError) as error:
        raise ServiceAnswerError(
            f"the service did not send a zip of the pictures ({error})",
            remedy="Try again; a proxy on the way may be at fault.",
        ) from error
    return [
        Picture(
            data=data,
            format=options.format,
            height=options.height,
            width=options.width,
            timings_ms=_timings(response),
            tier=response.headers.get("NVS-Cache-Tier"),
        )
        for data in contents
    ]


def _timings(response: httpx.Response) -> dict[str, float]:
    stated = response.headers.get("Server-Timing", "")
    return {name: float(value) for name, value in TIMING.findall(stated)}
