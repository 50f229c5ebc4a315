"""Pictures agree with projection: outlines, sides, textures, alpha."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras.rays import project
from nvs.errors import NvsError
from nvs_data.meshes import render
from nvs_data.meshes.render import render_views
from nvs_data.rigs import gso_rig


@pytest.mark.usefixtures("drawing")
def test_silhouettes_agree_with_projected_vertices(shapes: Any, tmp_path: Path) -> None:
    mesh = shapes.load(shapes.write_box(tmp_path, size=(1, 0.5, 0.8)))
    corners = np.concatenate([p.vertices[p.faces.ravel()] for p in mesh.parts])
    rig = gso_rig(80, 96)[[0, 5, 22, 41, 63]]
    off_center = torch.tensor([62.0, 70.0, 50.0, 37.0]).expand(5, 4)
    camera = replace(rig, intrinsics=off_center)
    points = torch.from_numpy(corners).expand(len(camera), -1, -1)
    pixels, _ = project(camera, points)
    for rgba, outline in zip(render_views(mesh, camera), pixels.numpy(), strict=True):
        hull = cv2.convexHull(outline.astype(np.float32))
        inside_px = np.array(
            [
                [
                    cv2.pointPolygonTest(hull, (x + 0.5, y + 0.5), True)
                    for x in range(96)
                ]
                for y in range(80)
            ]
        )
        alpha = rgba[..., 3]
        assert alpha[[0, -1]].max() == alpha[:, [0, -1]].max() == 0
        assert (alpha[inside_px > 1] == 255).all()
        assert (alpha[inside_px < -1] == 0).all()
        assert (rgba[alpha == 0][:, :3] == 255).all()
        assert (
            abs(alpha.sum() / 255 - cv2.contourArea(hull))
            < 0.01 * (inside_px > 0).sum()
        )


@pytest.mark.usefixtures("drawing")
def test_each_face_is_seen_from_its_own_side(shapes: Any, tmp_path: Path) -> None:
    mesh = shapes.load(shapes.write_box(tmp_path))
    # y up becomes z up: the front faces −y.
    sides = dict(
        zip(("right", "back", "left", "front"), (0, 90, 180, 270), strict=True)
    )
    views = render_views(mesh, shapes.cameras(*sides.values()))
    for side, rgba in zip(sides, views, strict=True):
        center = rgba[32, 32, :3] > 128
        assert center.tolist() == shapes.RGB[side], side
    (above,) = render_views(mesh, shapes.cameras(270, elevation=80))
    assert (above[28, 32, :3] > 128).tolist() == shapes.RGB["top"]
    (below,) = render_views(mesh, shapes.cameras(270, elevation=-80))
    assert (below[36, 32, :3] > 128).tolist() == shapes.RGB["bottom"]
    # From between front and right, the right face is on the right: no mirror image.
    (corner,) = render_views(mesh, shapes.cameras(315))
    assert (corner[32, 22, :3] > 128).tolist() == shapes.RGB["front"]
    assert (corner[32, 42, :3] > 128).tolist() == shapes.RGB["right"]


@pytest.mark.usefixtures("drawing")
def test_a_texture_is_upright_and_its_back_is_lit(shapes: Any, tmp_path: Path) -> None:
    shapes.quadrants().save(shapes.write_poster(tmp_path).with_name("poster.png"))
    mesh = shapes.load(tmp_path / "poster.obj")
    front, back = render_views(mesh, shapes.cameras(270, 90))
    red, green, blue, white = [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]
    expected = {(22, 22): red, (22, 42): green, (42, 22): blue, (42, 42): white}
    for (row, column), color in expected.items():
        assert (front[row, column, :3] > 128).tolist() == color
        assert (back[row, 63 - column, :3] > 128).tolist() == color


@pytest.mark.usefixtures("drawing")
def test_holes_in_a_texture_are_transparent(shapes: Any, tmp_path: Path) -> None:
    picture = shapes.quadrants()
    picture.putalpha(
        Image.fromarray(np.repeat([[0, 255]], 64, 0).astype(np.uint8)).resize(
            (64, 64), Image.Resampling.NEAREST
        )
    )
    picture.save(shapes.write_poster(tmp_path).with_name("poster.png"))
    (front,) = render_views(shapes.load(tmp_path / "poster.obj"), shapes.cameras(270))
    assert front[32, 24, 3] == 0
    assert front[32, 40, 3] == 255


@pytest.mark.usefixtures("drawing")
def test_colour_at_the_edge_is_not_darkened(shapes: Any, tmp_path: Path) -> None:
    mesh = shapes.load(shapes.write_box(tmp_path))
    (rgba,) = render_views(mesh, shapes.cameras(7))
    edge = (rgba[..., 3] > 0) & (rgba[..., 3] < 255)
    assert edge.sum() > 10
    assert rgba[edge][:, :3].max(axis=1).min() > 150


def test_without_egl_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import moderngl

    def no_egl(**_: object) -> None:
        raise RuntimeError("libEGL.so not loaded")

    monkeypatch.setattr(moderngl, "create_context", no_egl)
    with (
        pytest.raises(NvsError, match=r"libEGL\.so not loaded.*libegl1 libgl1"),
        render._context(),
    ):
        pass
