"""Render the bundled sample: 16 input views and 8 held-out views of one CC0 model.

    apt-get install sweethome3d-furniture libegl1 libgl1 libgl1-mesa-dri
    pip install -e '.[data]'
    python examples/make_sample.py my_sample

The inputs are two rings of eight cameras; the held-out views are a third ring between
the two, turned so that none of them is near an input.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from nvs.cameras.camera import Camera
from nvs_data.meshes.load import load_mesh
from nvs_data.meshes.posed_sets import render_set
from nvs_data.meshes.sources import find_meshes
from nvs_data.rigs import RADIUS, orbit

ARCHIVE = Path("/usr/share/sweethome3d/furniture/BlendSwap-CC-0.sh3f")
MODEL = "blendswap-cc-0-chicken"
NUM_INPUTS = 16
RING = torch.arange(8) * 45.0
AZIMUTHS_DEGREES = torch.cat([RING, RING + 22.5, RING + 11.25])
ELEVATIONS_DEGREES = torch.tensor([10.0, 45.0, 27.5]).repeat_interleave(len(RING))


def sample_rig(size_px: int) -> Camera:
    """The cameras of the sample, inputs first."""
    return orbit(
        azimuth_radians=AZIMUTHS_DEGREES.deg2rad(),
        elevation_radians=ELEVATIONS_DEGREES.deg2rad(),
        radius=torch.tensor(RADIUS),
        height=size_px,
        width=size_px,
    )


def main() -> None:
    """Render into the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Render the bundled sample.")
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--size", type=int, default=256, help="picture size in pixels")
    arguments = parser.parse_args()

    sources = {source.name: source for source in find_meshes(ARCHIVE)}
    camera = sample_rig(arguments.size)
    render_set(load_mesh(sources[MODEL]), camera, arguments.out)
    views = list(range(len(camera)))
    split = {"inputs": views[:NUM_INPUTS], "targets": views[NUM_INPUTS:]}
    (arguments.out / "split.json").write_text(json.dumps(split) + "\n")


if __name__ == "__main__":
    main()
