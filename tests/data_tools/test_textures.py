"""Diffuse maps are told from other maps of a material, and made small and square."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvs.errors import DatasetError, OutputError
from nvs.train.synthetic import load_photographs
from nvs_data.textures import (
    SOURCES_FILE,
    is_normal_map,
    is_other_map,
    is_plain,
    prepare_textures,
)


def encoded(pixels: np.ndarray, format: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def bricks(seed: int, height: int = 96, width: int = 96) -> np.ndarray:
    """Large blocks of random colours."""
    colors = np.random.default_rng(seed).integers(256, size=(6, 6, 3), dtype="u1")
    return np.asarray(Image.fromarray(colors).resize((width, height), Image.NEAREST))


def directions(seed: int) -> np.ndarray:
    """A tangent-space normal map: unit vectors that mostly point out."""
    slope = np.random.default_rng(seed).normal(0, 0.2, (96, 96, 2))
    vector = np.concatenate([slope, np.ones((96, 96, 1))], axis=-1)
    vector /= np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.rint(127.5 * (vector + 1)).astype(np.uint8)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    clear = np.full((96, 96, 4), 255, np.uint8)
    clear[..., 3] = 0
    clear[:20, :20] = 9
    files = {
        "textures/wall.png": encoded(bricks(0, 300, 600)),
        "textures/wall_nm.png": encoded(directions(0)),
        "textures/wall_s.tga": encoded(bricks(1), "TGA"),
        "textures/crate_s.jpg": encoded(bricks(2), "JPEG"),
        "textures/Wall_GLOW.png": encoded(bricks(3)),
        "textures/bumpy.png": encoded(directions(1)),
        "textures/again.png": encoded(bricks(0, 300, 600)),
        "textures/icon.png": encoded(bricks(4, 63, 200)),
        "textures/grey.png": encoded(np.full((96, 96, 3), 90, np.uint8)),
        "textures/decal.png": encoded(clear),
        "textures/half.png": encoded(bricks(5))[:90],
        "__MACOSX/._wall.png": b"resource fork",
        "readme.txt": b"by the makers",
    }
    path = tmp_path / "0textures.pk3"
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return path


def test_only_diffuse_maps_are_kept_with_their_sources(
    archive: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", "nvs.data"):
        result = prepare_textures([archive], tmp_path / "out")
    sources = json.loads((tmp_path / "out" / SOURCES_FILE).read_text())["sources"]
    assert list(sources.values()) == [
        "0textures.pk3/textures/wall.png",
        "0textures.pk3/textures/crate_s.jpg",
    ]
    assert result.kept == 2
    assert result.left_out == {
        **{"other_map": 3, "normal_map": 1, "repeated": 1, "small": 1},
        **{"plain": 1, "transparent": 1, "damaged": 1},
    }
    assert "half.png is left out" in caplog.text
    sizes = [Image.open(tmp_path / "out" / name).size for name in sources]
    assert sizes == [(256, 256), (96, 96)]
    assert len(load_photographs(tmp_path / "out")) == 2


def test_the_middle_of_an_image_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = bricks(0, 100, 100)
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in/a.png")
    prepare_textures([tmp_path / "in"], tmp_path / "out")
    kept = np.asarray(Image.open(tmp_path / "out/00000.jpg")).astype(int)
    assert np.abs(kept - bricks(0, 100, 100)).mean() < 10


def test_the_same_again_does_nothing_and_anything_else_is_refused(
    archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = prepare_textures([archive], out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    second = prepare_textures([archive], out)
    assert (first.present, second.present) == (False, True)
    assert (second.kept, second.left_out) == (first.kept, first.left_out)
    assert before == {path: path.stat().st_mtime_ns for path in out.iterdir()}
    with pytest.raises(OutputError, match="holds something else"):
        prepare_textures([archive], out, size=64)
    (out / "00001.jpg").unlink()
    with pytest.raises(OutputError, match="Delete it or name a new folder"):
        prepare_textures([archive], out)


def test_unsafe_and_empty_places_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.pk3"
    bad.write_bytes(b"PK and then nothing")
    with pytest.raises(DatasetError, match=r"bad\.pk3 cannot be read as a zip"):
        prepare_textures([bad], tmp_path / "out")
    with zipfile.ZipFile(bad, "w") as opened:
        opened.writestr("../../wall.png", encoded(bricks(0)))
    with pytest.raises(DatasetError, match="leads out of it"):
        prepare_textures([bad], tmp_path / "out")
    with pytest.raises(DatasetError, match="nowhere does not exist"):
        prepare_textures([tmp_path / "nowhere"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no diffuse map among 0 images"):
        prepare_textures([tmp_path / "empty"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *[(f"a/wall_{end}.tga", True) for end in ("nm", "SM", "gloss", "luma", "add")],
        *[(f"a/wall_{end}.png", True) for end in ("n", "s", "h")],
        *[(f"a/crate_{end}.png", False) for end in ("n", "s", "h", "blue", "01")],
        ("a/norm.png", False),
        ("a_nm/wall.png", False),
    ],
)
def test_maps_are_known_by_the_ends_of_their_names(name: str, other: bool) -> None:
    assert is_other_map(name, {"a/wall"}) == other


def test_maps_are_known_by_their_colours() -> None:
    sky = np.full((64, 64, 3), (135, 206, 235), np.uint8)
    assert is_normal_map(directions(0))
    assert not is_normal_map(bricks(0))
    assert not is_normal_map(sky)
    assert is_plain(sky)
    assert not is_plain(bricks(0))
