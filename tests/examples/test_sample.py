"""The bundled sample: small, complete, split and credited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nvs.cameras.camera import Camera

SAMPLE = Path(__file__).resolve().parents[2] / "nvs/assets/sample"


def test_the_sample_is_small_complete_and_split() -> None:
    views = json.loads((SAMPLE / "opencv_cameras.json").read_text())
    split = json.loads((SAMPLE / "split.json").read_text())
    assert (len(split["inputs"]), len(split["targets"])) == (16, 8)
    assert sorted(split["inputs"] + split["targets"]) == list(range(len(views)))
    sizes = [path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()]
    assert sum(sizes) < 3_000_000
    pictures = sorted(path.name for path in (SAMPLE / "renderings").iterdir())
    assert pictures == [Path(view["file_path"]).name for view in views]
    for view in views:
        alpha = np.asarray(Image.open(SAMPLE / view["file_path"]))[..., 3]
        assert alpha.shape == (view["h"], view["w"]) == (256, 256)
        assert 0.05 < (alpha == 255).mean() < 0.6
        border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
        assert border.max() == 0


def test_the_sample_cameras_look_at_the_object_from_all_sides() -> None:
    views = json.loads((SAMPLE / "opencv_cameras.json").read_text())
    split = json.loads((SAMPLE / "split.json").read_text())
    camera_from_world = torch.tensor([view["w2c"] for view in views])
    camera = Camera(
        world_from_camera=torch.linalg.inv(camera_from_world),
        intrinsics=torch.tensor(
            [[view[key] for key in ("fx", "fy", "cx", "cy")] for view in views]
        ),
        height=256,
        width=256,
    ).check()
    torch.testing.assert_close(camera.center.norm(dim=-1), torch.full((24,), 2.7))
    inputs, targets = camera[split["inputs"]].center, camera[split["targets"]].center
    nearest_degrees = 2 * (torch.cdist(targets, inputs) / 5.4).asin().rad2deg()
    assert nearest_degrees.min() > 10
    assert nearest_degrees.min(dim=1).values.max() < 30


def test_the_sample_is_credited() -> None:
    readme = (SAMPLE / "README.md").read_text()
    for words in ("CDmir230", "CC0 1.0", "sweethome3d-furniture", "held-out"):
        assert words in readme
