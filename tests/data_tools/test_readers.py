"""Every layout describes the same scene, so every reader must find the same."""

from __future__ import annotations

import codecs
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera, PoseNormalisation
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


def test_a_second_layout_in_the_folder_is_named(
    make_layout: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_layout("nerfstudio", tmp_path / "set")
    other = make_layout("blender", tmp_path / "other")
    shutil.copytree(other, folder, dirs_exist_ok=True)
    assert read_dataset(folder).frames[0].name == "./train/r_0"
    (record,) = caplog.records
    said = "read as blender; not used is what it holds as nerfstudio"
    assert said in record.getMessage()
    caplog.clear()
    assert len(read_dataset(folder, format="nerfstudio").frames) == 3
    assert not caplog.records


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


def test_the_near_miss_of_missing_images_is_named(
    make_layout: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_layout("nerfstudio", tmp_path / "set")
    files = _image_files(folder)
    files[0].rename(files[0].with_suffix(".webp"))
    assert len(read_dataset(folder).frames) == 2
    missing, _ = (record.getMessage() for record in caplog.records)
    assert missing.endswith(". Is it 'images/frame_00000.webp'?")
    for file in files[1:]:
        file.unlink()
    with pytest.raises(DatasetError, match=r"cameras\. Is it 'images/frame_00000"):
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


@pytest.mark.parametrize("where", ["masks/{stem}.png", "masks/{name}.png"])
def test_masks_beside_the_images_are_their_transparency(
    layout: str,
    make_layout: Make,
    tmp_path: Path,
    pixels: list[np.ndarray],
    where: str,
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    for image in _image_files(folder):
        _save_mask(image.parents[1] / where.format(stem=image.stem, name=image.name))
    dataset = read_dataset(folder)
    assert dataset.notes == ()
    for frame, image in zip(dataset.frames, pixels, strict=True):
        assert frame.source is None
        np.testing.assert_array_equal(frame.load(), np.dstack([image, MASK]))


def test_a_mask_beside_its_image(
    layout: str, make_layout: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    first, *_ = _image_files(folder)
    _save_mask(first.with_name(f"{first.name}.mask.png"))
    frames = read_dataset(folder).frames
    assert [frame.load().shape[-1] for frame in frames] == [4, 3, 3]
    assert caplog.text.count("2 of 3 images have no mask") == 1


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-32"),
    ],
    ids=["bom", "crlf", "cr", "utf-16-le", "utf-16-be", "utf-16 bare", "utf-32"],
)
def test_text_may_be_stored_as_other_programs_do(
    layout: str,
    make_layout: Make,
    tmp_path: Path,
    cameras: list[Camera],
    encode: Callable[[str], bytes],
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    texts = [f for f in folder.rglob("*") if f.suffix in (".json", ".txt", ".xml")]
    if not texts:
        pytest.skip("it has no text")
    for file in texts:
        file.write_bytes(encode(file.read_text()))
    frames = read_dataset(folder).frames
    for frame, camera in zip(frames, cameras, strict=True):
        expected = camera.world_from_camera
        torch.testing.assert_close(
            frame.camera.world_from_camera, expected, atol=1e-6, rtol=0
        )


def test_coordinates_of_maps_are_exact(
    layout: str, make_layout: Callable[..., Path], tmp_path: Path
) -> None:
    def framed(folder: Path) -> torch.Tensor:
        camera = Camera.cat([frame.camera for frame in read_dataset(folder).frames])
        normalisation = PoseNormalisation.from_object(camera)
        return normalisation.apply(camera).world_from_camera.double()

    near = make_layout(layout, tmp_path / "near")
    far = make_layout(layout, tmp_path / "far", (5e5, 4.2e6, 300.0))
    torch.testing.assert_close(framed(far), framed(near), rtol=0, atol=1e-5)


def test_text_of_no_encoding_is_an_error(make_layout: Make, tmp_path: Path) -> None:
    file = make_layout("nerfstudio", tmp_path / "set") / "transforms.json"
    text = file.read_text().replace("frame_00000", "frame_é")
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match=r"not readable as text.*save it as UTF-8"):
        read_dataset(file)


def test_what_is_there_and_not_used_is_counted_once(
    layout: str, make_layout: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_layout(layout, tmp_path / "set")
    if layout == "llff":
        pytest.skip("its images have no names")
    first, *_ = _image_files(folder)
    first.with_name("zz_more.png").write_bytes(first.read_bytes())
    for name in ("._IMG.png", ".DS_Store"):
        first.with_name(name).write_bytes(b"litter")
    assert len(read_dataset(folder).frames) == 3
    (record,) = caplog.records
    said = record.getMessage()
    assert "1 of 4 images have no camera and are not used" in said
    assert said.endswith("zz_more.png")


def _image_files(folder: Path) -> list[Path]:
    """The first split's, in order."""
    files = sorted(folder.rglob("*.png"))
    return [f for f in files if f.parent.name not in ("test", "val", "masks")]


MASK = np.random.default_rng(1).integers(2, 256, (12, 16), np.uint8)


def _save_mask(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(MASK).save(file)
