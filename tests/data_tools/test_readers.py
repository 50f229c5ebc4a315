"""Every layout describes the same scene, so every reader must find the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera
from nvs.errors import DatasetError, ImageError, NvsError
from nvs.scene import load_views
from nvs.scene.datasets import read_dataset, readers

Make = Callable[[str, Path], Path]


def test_cameras_and_pixels_are_those_of_the_scene(
    layout: str,
    make_layout: Make,
    tmp_path: Path,
    cameras: list[Camera],
    pixels: list[np.ndarray],
) -> None:
    dataset = read_dataset(make_layout(layout, tmp_path / "set"))
    assert dataset.missing == ()
    assert len(dataset.frames) == len(cameras)
    for frame, camera, image in zip(dataset.frames, cameras, pixels, strict=True):
        found = frame.camera
        assert (found.height, found.width) == (camera.height, camera.width)
        for name in ("world_from_camera", "intrinsics"):
            expected = getattr(camera, name)
            torch.testing.assert_close(
                getattr(found, name), expected, atol=1e-6, rtol=0
            )
        np.testing.assert_array_equal(frame.load(), image)


def test_gives_posed_views(layout: str, make_layout: Make, tmp_path: Path) -> None:
    views = load_views(make_layout(layout, tmp_path / "set"), patch_size=4)
    assert views.image.shape == (3, 3, 12, 16)


def test_a_layout_can_be_named(layout: str, make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout(layout, tmp_path / "set")
    name = layout.partition("_")[0]
    assert len(read_dataset(folder, format=name).frames) == 3
    other = "llff" if name != "llff" else "nerfstudio"
    with pytest.raises(NvsError):
        read_dataset(folder, format=other)


def test_no_reader_takes_what_is_not_its_layout(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("one\ntwo\n")
    (tmp_path / "image.png").write_bytes(b"")
    places = (tmp_path, tmp_path / "notes.txt", tmp_path / "image.png")
    for reader in readers():
        assert not any(reader.recognises(place) for place in places), reader.name


def test_missing_images_are_left_out_and_reported(
    layout: str,
    make_layout: Make,
    tmp_path: Path,
    cameras: list[Camera],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    if layout == "llff":
        pytest.skip("its images have no names")
    gone = _image_files(folder)[1]
    gone.unlink()
    with caplog.at_level(logging.WARNING, "nvs.data"):
        dataset = read_dataset(folder)
    assert len(dataset.frames) == 2
    assert len(dataset.missing) == 1
    assert gone.stem in dataset.missing[0]
    (record,) = caplog.records
    assert "1 of 3 images are missing" in record.getMessage()
    assert dataset.missing[0] in record.getMessage()
    assert torch.allclose(dataset.frames[1].camera.center, cameras[2].center, atol=1e-6)


def test_no_image_at_all_is_an_error(
    layout: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    for file in _image_files(folder):
        file.unlink()
    expected = "0 images" if layout == "llff" else "none of its 3 images exists"
    with pytest.raises(DatasetError, match=expected):
        read_dataset(folder)


def test_images_outside_the_folder_are_refused(
    layout: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    image = _image_files(folder)[0]
    image.rename(tmp_path / "outside.png")
    image.symlink_to(tmp_path / "outside.png")
    with pytest.raises(DatasetError, match="leads outside"):
        read_dataset(folder)


def test_a_truncated_image_is_named(
    layout: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    image = _image_files(folder)[2]
    image.write_bytes(image.read_bytes()[:-200])
    with pytest.raises(ImageError, match=rf"{image.name}: truncated"):
        load_views(folder, patch_size=4)


def test_alpha_greyscale_and_16_bit_images(
    make_layout: Make, tmp_path: Path, pixels: list[np.ndarray]
) -> None:
    folder = make_layout("nerfstudio", tmp_path / "set")
    files = _image_files(folder)
    grey = pixels[0][..., 0]
    half = np.where(np.arange(16) < 8, 255, 0).astype(np.uint8)
    alpha = np.broadcast_to(half, grey.shape)
    Image.fromarray(np.dstack([pixels[0], alpha])).save(files[0])
    Image.fromarray(grey).save(files[1])
    Image.fromarray(grey.astype(np.uint16) * 257).save(files[2])
    image = load_views(folder, patch_size=4).image
    assert torch.all(image[0, :, :, 8:] == 1)
    expected = torch.from_numpy(pixels[0][:, :8]).permute(2, 0, 1) / 255
    torch.testing.assert_close(image[0, :, :, :8], expected)
    for index in (1, 2):
        expected = torch.from_numpy(grey) / 255
        torch.testing.assert_close(image[index], expected.expand(3, -1, -1))


def _image_files(folder: Path) -> list[Path]:
    """The first split's, in order."""
    files = sorted(folder.rglob("*.png"))
    return [file for file in files if file.parent.name not in ("test", "val")]
