"""Camera rigs: equal to the published one, and reproducible where random."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from nvs.cameras.camera import Camera
from nvs.cameras.rays import project
from nvs.errors import ConfigError
from nvs_data.rigs import gso_rig, named_rig, training_rig


def image_of_origin(camera: Camera) -> torch.Tensor:
    pixels, _ = project(camera, torch.zeros(len(camera), 1, 3))
    return pixels[:, 0]


def test_gso_rig_equals_the_published_cameras(shared: Path) -> None:
    published = json.loads(
        (shared / "data/gso_character/opencv_cameras.json").read_text()
    )
    rig = gso_rig()
    assert len(rig) == len(published) == 64
    expected = torch.tensor([view["w2c"] for view in published], dtype=torch.float64)
    actual = torch.linalg.inv(rig.world_from_camera.double())
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)
    intrinsics = torch.tensor(
        [[view[key] for key in ("fx", "fy", "cx", "cy")] for view in published]
    )
    torch.testing.assert_close(rig.intrinsics, intrinsics, atol=1e-4, rtol=0)
    sizes = {(view["h"], view["w"]) for view in published}
    assert sizes == {(rig.height, rig.width)}


def test_gso_rig_circles_from_x_towards_y_and_rises() -> None:
    rig = gso_rig(256, 256).check()
    torch.testing.assert_close(rig.center.norm(dim=-1), torch.full((64,), 2.7))
    torch.testing.assert_close(rig.center[0], torch.tensor([2.7, 0.0, 0.0]))
    torch.testing.assert_close(
        rig.center[4], torch.tensor([0.0, 2.7, 0.0]), atol=1e-5, rtol=0
    )
    heights = rig.center[:, 2].reshape(4, 16)
    expected = 2.7 * torch.tensor([0.0, 20.0, 40.0, 60.0]).deg2rad().sin()
    torch.testing.assert_close(heights, expected[:, None].expand(4, 16))
    torch.testing.assert_close(
        rig.hfov_radians, torch.full((64,), math.radians(50.0)), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(image_of_origin(rig), torch.full((64, 2), 128.0))


def test_training_rig_is_random_valid_and_reproducible() -> None:
    rig = training_rig(seed=7, height=96, width=128).check()
    assert (len(rig), rig.height, rig.width) == (32, 96, 128)
    distance = rig.center.norm(dim=-1)
    assert bool(((distance >= 2.5) & (distance <= 2.9)).all())
    elevation = (rig.center[:, 2] / distance).asin().rad2deg()
    assert bool(((elevation > -20.01) & (elevation < 80.01)).all())
    torch.testing.assert_close(
        image_of_origin(rig), torch.tensor([[64.0, 48.0]]).expand(32, 2)
    )
    again, other = training_rig(7, height=96, width=128), training_rig(8)
    assert torch.equal(again.world_from_camera, rig.world_from_camera)
    assert not torch.allclose(other.world_from_camera, rig.world_from_camera)


def test_training_directions_are_uniform_over_the_band() -> None:
    rig = training_rig(seed=0, num_views=20_000, height=8, width=8)
    z = rig.center[:, 2] / rig.center.norm(dim=-1)
    lowest, highest = math.sin(math.radians(-20)), math.sin(math.radians(80))
    # Areas between parallels are proportional to differences of z (Archimedes).
    counts = torch.histc(z, bins=8, min=lowest, max=highest)
    assert counts.sum() == len(rig)
    assert counts.min() > 2500 - 250
    assert counts.max() < 2500 + 250


def test_named_rig_depends_on_the_object_and_the_seed_only() -> None:
    chair, table = (named_rig(name, rig="training") for name in ("chair", "table"))
    assert not torch.allclose(chair.center, table.center)
    assert torch.equal(chair.center, named_rig("chair", rig="training").center)
    assert not torch.allclose(
        chair.center, named_rig("chair", rig="training", seed=1).center
    )
    assert torch.equal(named_rig("chair", rig="gso").center, gso_rig().center)


def test_an_unknown_rig_is_named_with_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"'dome'.*gso, training"):
        named_rig("chair", rig="dome")
