"""Sets of renders: their layout, made once, in parallel, past failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras.camera import Camera
from nvs.errors import DatasetError, OutputError
from nvs_data.meshes import posed_sets
from nvs_data.meshes.load import Mesh
from nvs_data.meshes.posed_sets import SetResult, render_all, render_set
from nvs_data.meshes.render import render_views
from nvs_data.meshes.sources import find_meshes
from nvs_data.rigs import gso_rig, named_rig


@pytest.mark.usefixtures("drawing")
def test_a_set_has_the_published_layout(shapes: Any, tmp_path: Path) -> None:
    camera = gso_rig(32, 48)[:3]
    folder = tmp_path / "out/box"
    assert render_set(shapes.load(shapes.write_box(tmp_path)), camera, folder)
    views = json.loads((folder / "opencv_cameras.json").read_text())
    assert [view["file_path"] for view in views] == [
        f"renderings/0000000{index}_rgba.png" for index in range(3)
    ]
    for view, pose, intrinsics in zip(
        views, camera.world_from_camera, camera.intrinsics, strict=True
    ):
        assert (view["h"], view["w"]) == (32, 48)
        written = torch.tensor([view[key] for key in ("fx", "fy", "cx", "cy")])
        torch.testing.assert_close(written, intrinsics)
        identity = torch.tensor(view["w2c"]) @ pose
        torch.testing.assert_close(identity, torch.eye(4), atol=1e-5, rtol=0)
        assert np.asarray(Image.open(folder / view["file_path"])).shape == (32, 48, 4)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["box"]


@pytest.mark.usefixtures("drawing")
def test_an_interrupted_set_leaves_nothing_and_is_made_again(
    shapes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mesh, camera = shapes.load(shapes.write_box(tmp_path)), gso_rig(16, 16)[:3]
    folder = tmp_path / "out/box"

    def interrupted(mesh: Mesh, camera: Camera) -> Iterator[np.ndarray]:
        yield next(iter(render_views(mesh, camera)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(posed_sets, "render_views", interrupted)
        with pytest.raises(KeyboardInterrupt):
            render_set(mesh, camera, folder)
    assert list((tmp_path / "out").iterdir()) == []
    assert render_set(mesh, camera, folder)
    before = (folder / "opencv_cameras.json").stat().st_mtime_ns
    assert not render_set(mesh, camera, folder)
    assert (folder / "opencv_cameras.json").stat().st_mtime_ns == before


@pytest.mark.usefixtures("drawing")
def test_a_folder_with_other_contents_is_left_alone(
    shapes: Any, tmp_path: Path
) -> None:
    mesh, folder = shapes.load(shapes.write_box(tmp_path)), tmp_path / "out"
    render_set(mesh, gso_rig(16, 16)[:2], folder)
    with pytest.raises(OutputError, match=r"from other cameras.*Delete it"):
        render_set(mesh, gso_rig(16, 16)[1:3], folder)
    (folder / "renderings/00000001_rgba.png").unlink()
    with pytest.raises(OutputError, match=r"lacks renderings/00000001_rgba\.png"):
        render_set(mesh, gso_rig(16, 16)[:2], folder)


@pytest.mark.usefixtures("drawing")
@pytest.mark.parametrize("jobs", [1, 2])
def test_many_models_one_of_them_bad(shapes: Any, tmp_path: Path, jobs: int) -> None:
    for name in ("a", "c"):
        shapes.write_box(tmp_path / "models", name)
    (tmp_path / "models/b.obj").write_text("v 0 0 0\n")
    found, out = find_meshes(tmp_path / "models"), tmp_path / "out"
    rig = partial(named_rig, rig="training", height=16, width=16)
    seen: list[SetResult] = []
    results = render_all(found, out, rig=rig, jobs=jobs, progress=seen.append)
    assert [(r.name, r.status) for r in results] == [
        ("a", "rendered"),
        ("b", "failed"),
        ("c", "rendered"),
    ]
    assert "b.obj" in results[1].problem
    assert sorted(r.name for r in seen) == ["a", "b", "c"]
    assert sorted(path.name for path in out.iterdir()) == ["a", "c"]
    again = render_all(found, out, rig=rig)
    assert [r.status for r in again] == ["present", "failed", "present"]


def test_two_models_of_one_name_are_refused(shapes: Any, tmp_path: Path) -> None:
    found = find_meshes(shapes.write_box(tmp_path))
    with pytest.raises(DatasetError, match="two models are called 'box'"):
        render_all(found * 2, tmp_path, rig=lambda name: gso_rig())
