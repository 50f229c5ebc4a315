"""Meshes come centred, scaled, z up and textured, or with a clear message."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nvs.errors import DatasetError
from nvs_data.meshes import checks
from nvs_data.meshes.load import load_mesh
from nvs_data.meshes.sources import find_meshes


def test_a_mesh_is_centred_scaled_and_z_up(shapes: Any, tmp_path: Path) -> None:
    mesh = shapes.load(shapes.write_box(tmp_path, size=(1, 3, 2)))
    used = np.concatenate([part.vertices[part.faces.ravel()] for part in mesh.parts])
    np.testing.assert_allclose(used.max(axis=0), [1 / 3, 2 / 3, 1], atol=1e-6)
    np.testing.assert_allclose(used.min(axis=0), [-1 / 3, -2 / 3, -1], atol=1e-6)
    as_it_is = shapes.load(tmp_path / "box.obj", up="z")
    used = np.concatenate([p.vertices[p.faces.ravel()] for p in as_it_is.parts])
    np.testing.assert_allclose(used.max(axis=0), [1 / 3, 1, 2 / 3], atol=1e-6)


def test_glb_loads_as_the_same_obj(shapes: Any, tmp_path: Path) -> None:
    import trimesh

    shapes.quadrants().save(shapes.write_poster(tmp_path).with_name("poster.png"))
    (tmp_path / "glb").mkdir()
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=shapes.quadrants())
    square = trimesh.Trimesh(
        vertices=[[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]],
        faces=[[0, 1, 2], [0, 2, 3]],
        visual=trimesh.visual.TextureVisuals(
            uv=[[0, 0], [1, 0], [1, 1], [0, 1]], material=material
        ),
    )
    square.export(tmp_path / "glb/poster.glb")
    ours, theirs = (
        shapes.load(tmp_path / "poster.obj"),
        shapes.load(tmp_path / "glb/poster.glb"),
    )
    (a,), (b,) = ours.parts, theirs.parts
    np.testing.assert_array_equal(a.texture, b.texture)
    np.testing.assert_allclose(
        a.vertices[a.faces].sum(axis=(0, 1)), b.vertices[b.faces].sum(axis=(0, 1))
    )
    by_corner = [
        {tuple(v): tuple(uv) for v, uv in zip(p.vertices, p.uv, strict=True)}
        for p in (a, b)
    ]
    assert by_corner[0] == by_corner[1]


def test_scanned_objects_keep_their_texture_elsewhere(
    shapes: Any, tmp_path: Path
) -> None:
    poster = shapes.write_poster(tmp_path / "files", "texture.png")
    picture = io.BytesIO()
    shapes.quadrants().save(picture, "PNG")
    with zipfile.ZipFile(tmp_path / "Shoe.zip", "w") as archive:
        archive.write(poster, "meshes/model.obj")
        archive.write(poster.with_suffix(".mtl"), "meshes/poster.mtl")
        archive.writestr("materials/textures/texture.png", picture.getvalue())
    (source,) = find_meshes(tmp_path / "Shoe.zip")
    assert source.name == "Shoe"
    assert load_mesh(source, up="z").parts[0].texture.shape == (64, 64, 4)


def test_a_texture_with_too_many_pixels(
    shapes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes.quadrants().save(shapes.write_poster(tmp_path).with_name("poster.png"))
    monkeypatch.setattr(checks, "MAX_TEXTURE_PIXELS", 1000)
    with pytest.raises(DatasetError, match=r"poster\.png' has 64×64 pixels.*Resize"):
        shapes.load(tmp_path / "poster.obj")


def test_missing_materials_and_textures(shapes: Any, tmp_path: Path) -> None:
    poster = shapes.write_poster(tmp_path)
    with pytest.raises(DatasetError, match=r"'poster\.png', which does not exist"):
        shapes.load(poster)
    (tmp_path / "poster.mtl").unlink()
    with pytest.raises(DatasetError, match=r"'poster\.mtl'.*Put that file beside"):
        shapes.load(poster)


def test_a_texture_that_is_no_image(shapes: Any, tmp_path: Path) -> None:
    shapes.write_poster(tmp_path).with_name("poster.png").write_text("hello")
    with pytest.raises(DatasetError, match=r"poster\.png' is not an image.*convert"):
        shapes.load(tmp_path / "poster.obj")


def test_a_truncated_texture(shapes: Any, tmp_path: Path) -> None:
    picture = io.BytesIO()
    shapes.quadrants().save(picture, "PNG")
    shapes.write_poster(tmp_path).with_name("poster.png").write_bytes(
        picture.getvalue()[:90]
    )
    with pytest.raises(DatasetError, match=r"poster\.png.*truncated.*Download"):
        shapes.load(tmp_path / "poster.obj")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no triangles|cannot be read as OBJ"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "holds no triangles|cannot be read as OBJ"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "vertices it does not have|cannot be"),
        ("v 2 2 2\nv 2 2 2\nv 2 2 2\nf 1 2 3\n", "single point"),
        ("v nan 2 2\nv 2 2 2\nv 2 2 3\nf 1 2 3\n", "NaN"),
    ],
)
def test_objs_without_a_surface(
    shapes: Any, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "bad.obj").write_text(text)
    with pytest.raises(DatasetError, match=rf"bad\.obj.*({message})"):
        shapes.load(tmp_path / "bad.obj")


@pytest.mark.parametrize("data", [b"", b"glTF", b"glTF\x02\0\0\0\xff\xff\0\0{}"])
def test_glbs_that_are_cut_short(shapes: Any, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.glb").write_bytes(data)
    with pytest.raises(DatasetError, match=r"bad\.glb is not a complete GLB"):
        shapes.load(tmp_path / "bad.glb")


def test_a_glb_that_needs_a_decoder(shapes: Any, tmp_path: Path) -> None:
    header = json.dumps({"extensionsRequired": ["KHR_draco_mesh_compression"]}).encode()
    size = (20 + len(header)).to_bytes(4, "little")
    chunk = len(header).to_bytes(4, "little") + b"JSON" + header
    (tmp_path / "d.glb").write_bytes(b"glTF\x02\0\0\0" + size + chunk)
    with pytest.raises(DatasetError, match=r"KHR_draco_mesh_compression.*without"):
        shapes.load(tmp_path / "d.glb")
