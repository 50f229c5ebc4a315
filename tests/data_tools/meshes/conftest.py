"""Shapes to load and render."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras.camera import Camera
from nvs.errors import NvsError
from nvs_data.meshes import render
from nvs_data.meshes.load import Mesh, load_mesh
from nvs_data.meshes.sources import find_meshes
from nvs_data.rigs import orbit

# y is up in the file: +y is the top, +z the front.
CORNERS = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
FACES = {
    "right": ("Kd 1 0 0", [5, 7, 8, 6]),
    "left": ("Kd 0 1 1", [1, 2, 4, 3]),
    "top": ("Kd 0 1 0", [3, 4, 8, 7]),
    "bottom": ("Kd 1 0 1", [1, 5, 6, 2]),
    "front": ("Kd 0 0 1", [2, 6, 8, 4]),
    "back": ("Kd 1 1 0", [1, 3, 7, 5]),
}
RGB = {name: [int(c) for c in kd.split()[1:]] for name, (kd, _) in FACES.items()}


def write_box(folder: Path, name: str = "box", size: tuple[float, ...] = (1, 1, 1)):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"mtllib {name}.mtl"]
    for corner in CORNERS:
        x, y, z = (c * s + 5 for c, s in zip(corner, size, strict=True))
        lines.append(f"v {x} {y} {z}")
    for face, (_, indices) in FACES.items():
        lines += [f"usemtl {face}", "f " + " ".join(map(str, indices))]
    (folder / f"{name}.obj").write_text("\n".join(lines))
    materials = [f"newmtl {face}\n{kd}\n" for face, (kd, _) in FACES.items()]
    (folder / f"{name}.mtl").write_text("\n".join(materials))
    return folder / f"{name}.obj"


def quadrants() -> Image.Image:
    """A picture: red, green above; blue, white below."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, :32], pixels[:32, 32:] = (255, 0, 0), (0, 255, 0)
    pixels[32:, :32], pixels[32:, 32:] = (0, 0, 255), (255, 255, 255)
    return Image.fromarray(pixels)


def write_poster(folder: Path, texture: str = "poster.png") -> Path:
    """A square in the plane of x and y that faces +z."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "poster.obj").write_text(
        "mtllib poster.mtl\nusemtl paper\n"
        "v -1 -1 0\nv 1 -1 0\nv 1 1 0\nv -1 1 0\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"
    )
    (folder / "poster.mtl").write_text(f"newmtl paper\nKd 0 0 0\nmap_Kd {texture}\n")
    return folder / "poster.obj"


def load(path: Path, **kwargs: str) -> Mesh:
    (source,) = find_meshes(path)
    return load_mesh(source, **kwargs)


def cameras(*azimuths: float, elevation: float = 0.0, size_px: int = 64) -> Camera:
    azimuth = torch.tensor(azimuths).deg2rad()
    return orbit(
        azimuth_radians=azimuth,
        elevation_radians=torch.full_like(azimuth, elevation).deg2rad(),
        radius=torch.tensor(4.0),
        height=size_px,
        width=size_px,
    )


@pytest.fixture(scope="session")
def shapes() -> SimpleNamespace:
    """Writers of small models, and cameras around them."""
    return SimpleNamespace(
        FACES=FACES,
        RGB=RGB,
        write_box=write_box,
        write_poster=write_poster,
        quadrants=quadrants,
        load=load,
        cameras=cameras,
    )


@pytest.fixture(scope="session")
def drawing() -> None:
    """Skip where there is no EGL to draw with."""
    try:
        with render._context():
            pass
    except NvsError as error:
        pytest.skip(str(error))
