"""Which files of a folder are sent as a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nvs.client.dataset_files import DatasetFiles
from nvs.errors import DatasetError


def _frames(file: Path, *names: object) -> None:
    frames = [{"file_path": name} for name in names]
    file.write_text(json.dumps({"frames": frames}))


def _names(path: Path) -> list[str]:
    return list(DatasetFiles.of(path).images)


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_suffixes_that_the_cameras_leave_out(tmp_path: Path) -> None:
    _touch(tmp_path, "r_0.png", "r_1.jpg", "r_3.png")
    _frames(tmp_path / "transforms.json", "./r_0", "r_1", "r_2")
    assert _names(tmp_path) == ["r_0.png", "r_1.jpg"]
    assert _names(tmp_path / "transforms.json") == ["r_0.png", "r_1.jpg"]


def test_a_camera_file_that_is_named_leaves_the_others_out(tmp_path: Path) -> None:
    for split in ("train", "test"):
        _touch(tmp_path, f"{split}/r_0.png", f"{split}/r_0_depth.png")
        _frames(tmp_path / f"transforms_{split}.json", f"./{split}/r_0")
    assert len(_names(tmp_path)) == 4
    assert set(DatasetFiles.of(tmp_path).cameras) == {
        "transforms_train.json",
        "transforms_test.json",
    }
    files = DatasetFiles.of(tmp_path / "transforms_test.json")
    assert list(files.images) == ["test/r_0.png"]
    assert files.cameras_json == tmp_path / "transforms_test.json"


def test_masks_and_names_as_people_mean_them_go_with_the_images(
    tmp_path: Path,
) -> None:
    _touch(tmp_path, "images/a.JPG", "images/b.png", "masks/a.png", "cut/b.png")
    content = [
        {"file_path": "images\\A.jpg"},
        {"file_path": "images/b.png", "mask_path": "cut/b.png"},
    ]
    (tmp_path / "transforms.json").write_text(json.dumps({"frames": content}))
    _touch(tmp_path, "images_2/b.png")
    assert _names(tmp_path) == [
        "cut/b.png",
        "images/a.JPG",
        "images/b.png",
        "masks/a.png",
    ]


def test_cameras_that_name_none_of_the_images(tmp_path: Path) -> None:
    """Such as scaled copies in another folder: the service knows what they mean."""
    _touch(tmp_path, "images_4/f.png")
    _frames(tmp_path / "transforms.json", "images/f.png")
    assert _names(tmp_path) == ["images_4/f.png"]


def test_several_camera_files_go_with_all_images(tmp_path: Path) -> None:
    _touch(tmp_path, "sparse/cameras.txt", "a.png", "b.png", ".cache/c.png")
    _frames(tmp_path / "transforms.json", "a.png")
    files = DatasetFiles.of(tmp_path)
    assert list(files.images) == ["a.png", "b.png"]
    assert set(files.cameras) == {"sparse/cameras.txt", "transforms.json"}
    assert files.cameras_json is None


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../secret.png"])
def test_a_camera_file_cannot_reach_out(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, "secret.png", "set/a.png")
    folder = tmp_path / "set"
    _frames(folder / "opencv_cameras.json", name)
    assert _names(folder) == ["a.png"]


def test_a_link_cannot_reach_out(tmp_path: Path) -> None:
    _touch(tmp_path, "secret.png", "set/poses_bounds.npy")
    folder = tmp_path / "set"
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DatasetError, match="has no images"):
        DatasetFiles.of(folder)


@pytest.mark.parametrize("content", ["{}", '{"frames": [{"file_path": 3}]}', '["a"]'])
def test_what_cameras_say_is_for_the_service_to_judge(tmp_path, content: str) -> None:
    _touch(tmp_path, "a.png")
    (tmp_path / "opencv_cameras.json").write_text(content)
    assert _names(tmp_path) == ["a.png"]


def test_folders_that_are_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no images"):
        DatasetFiles.of(tmp_path)
    _touch(tmp_path, "a.png")
    with pytest.raises(DatasetError, match=r"no camera files.*nvs data pose"):
        DatasetFiles.of(tmp_path)
    with pytest.raises(DatasetError, match=r"no folder, JSON camera file or \.zip"):
        DatasetFiles.of(tmp_path / "a.png")
    (tmp_path / "opencv_cameras.json").write_text("{")
    with pytest.raises(DatasetError, match="is not readable JSON"):
        DatasetFiles.of(tmp_path)
