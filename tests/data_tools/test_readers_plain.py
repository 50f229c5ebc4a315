"""What is particular to RealEstate10K and LLFF sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.errors import CameraError, DatasetError
from nvs.scene.datasets import read_dataset

Make = Callable[[str, Path], Path]


@pytest.fixture
def clip(make_layout: Make, tmp_path: Path) -> Path:
    return make_layout("realestate10k", tmp_path / "set") / "0a1b2c.txt"


@pytest.mark.parametrize("place", ["images", "."])
def test_frames_may_lie_elsewhere_in_the_folder(clip: Path, place: str) -> None:
    folder = clip.parent / place
    folder.mkdir(exist_ok=True)
    for file in clip.with_suffix("").iterdir():
        file.rename(folder / file.name)
    assert len(read_dataset(clip).frames) == 3
    assert len(read_dataset(clip.parent).frames) == 3


def test_intrinsics_follow_the_size_of_the_frames(clip: Path) -> None:
    before = read_dataset(clip).frames[0].camera.intrinsics
    for file in clip.with_suffix("").iterdir():
        Image.new("RGB", (32, 36)).save(file)
    after = read_dataset(clip).frames[0].camera.intrinsics
    torch.testing.assert_close(after, before * before.new_tensor([2, 3, 2, 3]))


def test_of_two_clips_one_must_be_named(clip: Path) -> None:
    clip.with_stem("other").write_text(clip.read_text())
    assert len(read_dataset(clip).frames) == 3
    with pytest.raises(DatasetError, match="no known dataset layout"):
        read_dataset(clip.parent)
    with pytest.raises(DatasetError, match="Name one text file"):
        read_dataset(clip.parent, format="realestate10k")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" 0.000000000000 0.0000", " 0.1 0.0000", r"line 2: columns 6 and 7"),
        ("50083333 ", "../../50083333 ", r"line 3 is not a camera"),
        ("50083333 ", "50083333 nine ", r"line 3 is not a camera"),
    ],
)
def test_names_the_line_that_is_wrong(
    clip: Path, old: str, new: str, message: str
) -> None:
    text = clip.read_text()
    assert old in text
    clip.write_text(text.replace(old, new, 1))
    with pytest.raises((CameraError, DatasetError), match=message):
        read_dataset(clip)


def test_llff_cameras_are_scaled_to_the_images(
    make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("llff", tmp_path / "set")
    before = read_dataset(folder).frames[0].camera
    (folder / "images").rename(folder / "images_4")
    for file in (folder / "images_4").iterdir():
        Image.new("RGB", (4, 3)).save(file)
    after = read_dataset(folder).frames[0].camera
    assert (after.height, after.width) == (3, 4)
    torch.testing.assert_close(after.intrinsics, before.intrinsics / 4)


def test_llff_needs_an_image_for_each_pose(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("llff", tmp_path / "set")
    (folder / "images/IMG_0001.png").unlink()
    with pytest.raises(DatasetError, match="has 3 cameras, its folder 2 images"):
        read_dataset(folder)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 16)),
        np.zeros(17),
        np.full((3, 17), "x"),
        np.zeros((3, 17), complex),
    ],
)
def test_llff_poses_must_be_numbers(
    make_layout: Make, tmp_path: Path, array: np.ndarray
) -> None:
    folder = make_layout("llff", tmp_path / "set")
    np.save(folder / "poses_bounds.npy", array)
    with pytest.raises(DatasetError, match="17 numbers a view"):
        read_dataset(folder)


def test_llff_files_are_never_unpickled(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("llff", tmp_path / "set")
    objects = np.full((3, 17), None)
    np.save(folder / "poses_bounds.npy", objects, allow_pickle=True)
    with pytest.raises(DatasetError, match="not a readable array"):
        read_dataset(folder)


@pytest.mark.parametrize(("old", "new"), [(b"}", b" "), (b"(3", b"((")])
def test_llff_headers_may_be_damaged(
    make_layout: Make, tmp_path: Path, old: bytes, new: bytes
) -> None:
    file = make_layout("llff", tmp_path / "set") / "poses_bounds.npy"
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new, 1))
    with pytest.raises(DatasetError, match="not a readable array"):
        read_dataset(file.parent)
