"""Captures to upload: a few small pictures of the sample, no two of them alike."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image

from nvs.assets import SAMPLE

SIDE_PX = 64
CAMERAS = "opencv_cameras.json"
INTRINSICS = ("fx", "fy", "cx", "cy")


@dataclass(frozen=True)
class Capture:
    """Images by path, and the camera file that names them."""

    images: dict[str, bytes]
    cameras: bytes

    @property
    def files(self) -> dict[str, bytes]:
        return self.images | {CAMERAS: self.cameras}

    def zipped(self) -> bytes:
        """All in one folder of an archive."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            for path, data in self.files.items():
                packed.writestr(f"capture/{path}", data)
        return archive.getvalue()


def capture(chance: random.Random, num_images: int) -> Capture:
    """Some frames of the sample."""
    frames = sorted(chance.sample(_frames(), num_images), key=lambda f: f["file_path"])
    images = {frame["file_path"]: picture(chance, frame) for frame in frames}
    return Capture(images, json.dumps([_small(frame) for frame in frames]).encode())


def picture(chance: random.Random, frame: dict[str, Any] | None = None) -> bytes:
    """A frame's picture as a PNG that nobody has uploaded before."""
    frame = frame or _frames()[0]
    image = _thumbnail(frame["file_path"]).copy()
    for _ in range(8):
        where = (chance.randrange(SIDE_PX), chance.randrange(SIDE_PX))
        image.putpixel(where, tuple(chance.randbytes(4)))
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: digest(data) for path, data in files.items()}


@cache
def _frames() -> list[dict[str, Any]]:
    return json.loads((SAMPLE / CAMERAS).read_text())


@cache
def _thumbnail(path: str) -> Image.Image:
    with Image.open(SAMPLE / path) as image:
        return image.convert("RGBA").resize((SIDE_PX, SIDE_PX))


def _small(frame: dict[str, Any]) -> dict[str, Any]:
    scale = SIDE_PX / frame["w"]
    scaled = {name: frame[name] * scale for name in INTRINSICS}
    return frame | scaled | {"w": SIDE_PX, "h": SIDE_PX}
