"""Which files of a folder are uploaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nvs.client.dataset_files import dataset_files
from nvs.errors import DatasetError


def _frames(file: Path, *names: object) -> None:
    frames = [{"file_path": name} for name in names]
    file.write_text(json.dumps({"frames": frames}))


def _names(path: Path) -> list[str]:
    return [name for name, _ in dataset_files(path).images]


def test_suffixes_that_the_file_leaves_out(tmp_path: Path) -> None:
    for name in ("r_0.png", "r_1.jpg"):
        (tmp_path / name).touch()
    _frames(tmp_path / "transforms.json", "./r_0", "r_1", "r_2")
    assert _names(tmp_path) == ["r_0.png", "r_1.jpg"]
    assert _names(tmp_path / "transforms.json") == ["r_0.png", "r_1.jpg"]


def test_held_out_splits_stay(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "r_0.png").touch()
        _frames(tmp_path / f"transforms_{split}.json", f"./{split}/r_0")
    assert _names(tmp_path) == ["train/r_0.png"]
    assert _names(tmp_path / "transforms_test.json") == ["test/r_0.png"]


def test_scaled_copies_that_only_another_layout_knows(tmp_path: Path) -> None:
    (tmp_path / "images_4").mkdir()
    (tmp_path / "images_4/f.png").touch()
    _frames(tmp_path / "transforms.json", "images/f.png")
    files = dataset_files(tmp_path)
    assert [name for name, _ in files.images] == ["images_4/f.png"]
    assert files.cameras_json is not None


def test_a_colmap_model_beside_transforms_wins(tmp_path: Path) -> None:
    (tmp_path / "sparse").mkdir()
    (tmp_path / "sparse/cameras.txt").touch()
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    _frames(tmp_path / "transforms.json", "a.png")
    files = dataset_files(tmp_path)
    assert [name for name, _ in files.images] == ["a.png", "b.png"]
    assert files.cameras_json is None


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png"])
def test_a_camera_file_cannot_reach_out(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").touch()
    folder = tmp_path / "set"
    folder.mkdir()
    _frames(folder / "opencv_cameras.json", name)
    with pytest.raises(DatasetError, match="leads outside"):
        dataset_files(folder)


def test_a_link_cannot_reach_out(tmp_path: Path) -> None:
    (tmp_path / "secret.png").touch()
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    (folder / "poses_bounds.npy").touch()
    with pytest.raises(DatasetError, match="none of the images"):
        dataset_files(folder)
    _frames(folder / "opencv_cameras.json", "a.png")
    with pytest.raises(DatasetError, match="leads outside"):
        dataset_files(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not readable JSON"),
        ("{}", "lists no frames"),
        ('{"frames": [{"file_path": 3}]}', "frame 0: file_path is 3"),
        ('["a"]', "frame 0: file_path is None"),
        ('[{"file_path": "gone.png"}]', "none of the images"),
    ],
)
def test_camera_files_that_cannot_be_used(tmp_path, content: str, message: str) -> None:
    (tmp_path / "opencv_cameras.json").write_text(content)
    with pytest.raises(DatasetError, match=message):
        dataset_files(tmp_path)


def test_folders_that_are_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none of the images"):
        dataset_files(tmp_path)
    (tmp_path / "a.png").touch()
    with pytest.raises(DatasetError, match=r"no camera files.*nvs data pose"):
        dataset_files(tmp_path)
    with pytest.raises(DatasetError, match=r"no folder, JSON camera file or \.zip"):
        dataset_files(tmp_path / "a.png")
