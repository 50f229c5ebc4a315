"""The path that a scene is shown along when nobody says otherwise."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from nvs.cameras import Camera, PoseNormalisation
from nvs.cameras.se3 import rigid, so3_exp
from nvs.errors import ConfigError
from nvs.scene import PosedViews, Renderer, Scene
from nvs.scene.paths import scene_orbit, scene_path, scene_walk, usual_path

SIZE = {"height": 16, "width": 24}


@pytest.fixture
def scene(renderer: Renderer, views: PosedViews) -> Scene:
    return renderer.prefill(views, framing="none")


def along(scene: Scene, *degrees: float, outwards: bool = False) -> Scene:
    """The scene with inputs at these azimuths on a ring, level, z up."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    eye = torch.stack([3 * angle.cos(), 3 * angle.sin(), 0.5 + 0 * angle], dim=-1)
    camera = Camera.look_at(
        eye,
        2 * eye if outwards else torch.zeros_like(eye),
        up=torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64).expand_as(eye),
        hfov_radians=0.9,
        **SIZE,
    )
    names = tuple(map(str, degrees))
    thumbnail = scene.thumbnail[[0] * len(names)]
    return replace(scene, input_camera=camera, input_names=names, thumbnail=thumbnail)


@pytest.mark.parametrize(
    ("degrees", "path"),
    [
        ((0, 90, 180, 270), "orbit"),
        ((10, 130, 250), "orbit"),
        (range(0, 360, 15), "orbit"),
        (range(0, 180, 15), "walk"),
        (range(-40, 41, 10), "walk"),
        ((0, 170), "walk"),
        ((0,), "walk"),
    ],
)
def test_an_orbit_only_where_the_views_surround(
    scene: Scene, degrees: range, path: str
) -> None:
    captured = along(scene, *degrees)
    assert usual_path(captured) == path
    expected = {"orbit": scene_orbit, "walk": scene_walk}[path](captured, 7, **SIZE)
    given = scene_path(captured, 7, **SIZE)
    assert torch.equal(given.world_from_camera, expected.world_from_camera)


def test_views_that_look_outwards_are_walked_through(scene: Scene) -> None:
    assert usual_path(along(scene, *range(0, 360, 30), outwards=True)) == "walk"


@pytest.mark.parametrize("degrees", [range(0, 360, 45), range(0, 150, 15)])
def test_it_does_not_depend_on_the_world(scene: Scene, degrees: range) -> None:
    captured = along(scene, *degrees)
    turn = so3_exp(torch.tensor([1.2, -0.7, 2.1], dtype=torch.float64))
    moved = rigid(turn, torch.tensor([4.0, -2.0, 9.0], dtype=torch.float64))
    x, y, z = (turn @ torch.tensor(captured.up, dtype=torch.float64)).tolist()
    other = replace(
        captured,
        input_camera=replace(
            captured.input_camera,
            world_from_camera=moved @ captured.input_camera.world_from_camera,
        ),
        normalisation=PoseNormalisation(
            kind="object", model_from_world=torch.linalg.inv(moved)
        ),
        up=(x, y, z),
    )
    assert usual_path(other) == usual_path(captured)
    ours, theirs = (scene_path(one, 5, **SIZE) for one in (captured, other))
    assert torch.allclose(
        moved @ ours.world_from_camera, theirs.world_from_camera, atol=1e-6
    )


def test_paths_by_name(scene: Scene) -> None:
    captured = along(scene, *range(-40, 41, 10))
    around = scene_path(
        captured, 4, **SIZE, path="orbit", elevation_radians=math.radians(30)
    )
    assert torch.allclose(around.center[:, 2], around.center[:1, 2])
    assert len(scene_path(captured, 3, **SIZE, path="spiral")) == 3
    with pytest.raises(ConfigError, match="no path 'round'"):
        scene_path(captured, 3, **SIZE, path="round")
