"""Models are found, named and read, and nothing outside their folder is."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from nvs.errors import DatasetError
from nvs_data import containers
from nvs_data.meshes.load import load_mesh
from nvs_data.meshes.sources import find_meshes
from tests.test_zip_names import entry, packed


def test_models_are_found_in_folders_and_archives(shapes: Any, tmp_path: Path) -> None:
    box = shapes.write_box(tmp_path / "toys/box")
    shapes.write_box(tmp_path / "Shoe/meshes", "model")
    with zipfile.ZipFile(tmp_path / "more.sh3f", "w") as archive:
        archive.write(box, "kitchen/pan/pan.obj")
        archive.write(box.with_suffix(".mtl"), "kitchen/pan/box.mtl")
        archive.write(box, "__MACOSX/._pan.obj")
    found = {source.name: source for source in find_meshes(tmp_path)}
    assert sorted(found) == ["Shoe", "more-kitchen-pan", "toys-box"]
    assert len(load_mesh(found["more-kitchen-pan"]).parts) == len(shapes.FACES)
    assert [s.name for s in find_meshes(tmp_path / "more.sh3f")] == ["kitchen-pan"]


def test_names_in_archives_are_those_that_models_refer_to(
    shapes: Any, tmp_path: Path
) -> None:
    r"""A code page of Windows, and `\\` between folders."""
    box = shapes.write_box(tmp_path / "toys")
    files = {
        "кухня\\плита.obj": box.read_bytes(),
        "кухня\\box.mtl": box.with_suffix(".mtl").read_bytes(),
    }
    packs = {entry(name.encode("cp866")): data for name, data in files.items()}
    (tmp_path / "a.zip").write_bytes(packed(packs))
    (found,) = find_meshes(tmp_path / "a.zip")
    assert found.member == "кухня/плита.obj"
    assert len(load_mesh(found).parts) == len(shapes.FACES)


def test_models_that_share_a_name_get_different_folders(
    shapes: Any, tmp_path: Path
) -> None:
    shapes.write_box(tmp_path / "a b")
    shapes.write_box(tmp_path / "a_b")
    names = [source.name for source in find_meshes(tmp_path)]
    assert names == ["a_b-box", "a_b-box-2"]


def test_missing_paths_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nothing does not exist.*Give a model"):
        find_meshes(tmp_path / "nothing")
    with pytest.raises(DatasetError, match=r"holds no model.*\.obj, \.glb"):
        find_meshes(tmp_path)


def test_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "half.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DatasetError, match=r"half\.zip.*Download it again"):
        find_meshes(tmp_path)


def test_an_archive_with_a_damaged_member(shapes: Any, tmp_path: Path) -> None:
    box = shapes.write_box(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(box, "box.obj")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[60] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DatasetError, match=r"a\.zip/box\.obj is damaged.*CRC"):
        shapes.load(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "member", ["../evil.obj", "/etc/evil.obj", "a/../../evil.txt", "..\\evil.obj"]
)
def test_an_archive_with_a_name_that_leads_out(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        archive.writestr(member, "v 0 0 0")
    with pytest.raises(DatasetError, match=r"slip\.zip holds .*evil.* leads out"):
        find_meshes(tmp_path / "slip.zip")


def test_a_material_that_refers_outside(shapes: Any, tmp_path: Path) -> None:
    shapes.quadrants().save(tmp_path / "secret.png")
    poster = shapes.write_poster(tmp_path / "model", "../secret.png")
    with pytest.raises(DatasetError, match=r"poster\.obj refers to .* is outside"):
        shapes.load(poster)
    assert shapes.load(tmp_path).parts[0].texture is not None


@pytest.mark.parametrize("folder", ["{here}/", "C:\\models\\"])
def test_of_an_absolute_path_only_the_name_counts(
    shapes: Any, tmp_path: Path, folder: str
) -> None:
    texture = folder.format(here=tmp_path) + "secret.png"
    shapes.quadrants().save(tmp_path / "secret.png")
    poster = shapes.write_poster(tmp_path / "model", texture)
    with pytest.raises(DatasetError, match=r"secret\.png', which does not exist"):
        shapes.load(poster)
    shapes.quadrants().save(tmp_path / "model/secret.png")
    assert shapes.load(poster).parts[0].texture is not None


def test_a_zip_bomb(
    shapes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.obj", b"\n" * 5_000_000)
    monkeypatch.setattr(containers, "MAX_FILE_BYTES", 4_000_000)
    with pytest.raises(DatasetError, match=r"bomb\.obj is 5 MiB.*At most 4 MiB"):
        shapes.load(tmp_path / "b.zip")
