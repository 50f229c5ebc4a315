from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera
from nvs.errors import CameraError, DatasetError, ImageError, NvsError
from nvs.scene import load_views, open_views

Frames = list[dict[str, Any]]


def edit(dataset: Path, change: Callable[[Frames], object]) -> None:
    file = dataset / "opencv_cameras.json"
    frames = json.loads(file.read_text())
    changed = change(frames)
    file.write_text(json.dumps(frames if changed is None else changed))


def test_reads_pixels_and_cameras(dataset: Path, ring: Camera) -> None:
    views = load_views(dataset)
    assert views.names[3] == "images/3.png"
    torch.testing.assert_close(
        views.camera.world_from_camera, ring.world_from_camera, atol=1e-6, rtol=0
    )
    torch.testing.assert_close(views.camera.intrinsics, ring.intrinsics)
    pixels = np.asarray(Image.open(dataset / "images/3.png"))
    assert torch.equal(
        views.image[3].permute(1, 2, 0), torch.from_numpy(pixels.copy()).float() / 255
    )


def test_object_with_frames_and_the_file_itself(dataset: Path) -> None:
    plain = load_views(dataset)
    edit(dataset, lambda frames: {"scene_name": "a", "frames": frames})
    named = load_views(dataset / "opencv_cameras.json")
    assert torch.equal(plain.image, named.image)


def test_chosen_views_in_the_order_asked(dataset: Path) -> None:
    assert load_views(dataset, views=[4, 0]).names == ("images/4.png", "images/0.png")


def set_value(key: str, value: object) -> Callable[[Frames], None]:
    def change(frames: Frames) -> None:
        frames[2][key] = value

    return change


def drop(key: str) -> Callable[[Frames], None]:
    def change(frames: Frames) -> None:
        del frames[2][key]

    return change


NAN_POSE = [[float("nan")] * 4] * 4


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (drop("w2c"), CameraError, "frame 2: w2c is missing"),
        (
            set_value("w2c", [[1, 0], [0, 1]]),
            CameraError,
            "frame 2: w2c holds 2×2 numbers.* 4×4 numbers",
        ),
        (set_value("w2c", NAN_POSE), CameraError, "2.png: the pose holds NaN"),
        (set_value("w2c", [[0] * 4] * 4), CameraError, "frame 2: .* be inverted"),
        (drop("fx"), CameraError, "frame 2: fx is missing"),
        (set_value("fy", "wide"), CameraError, 'frame 2: fy is "wide"'),
        (set_value("w", 0), CameraError, "frame 2: w is 0"),
        (set_value("w", 48), ImageError, "2.png: 16×24 pixels.* for 16×48"),
        (drop("file_path"), CameraError, "frame 2: file_path is missing"),
        (set_value("file_path", "../../x.png"), DatasetError, "leads outside"),
        (set_value("file_path", "/etc/passwd"), DatasetError, "leads outside"),
        (lambda frames: [], CameraError, "at least one frame"),
        (lambda frames: {"cameras": frames}, CameraError, "frames is missing"),
        (lambda frames: [1, 2], CameraError, "frame 0: it is 1"),
    ],
)
def test_bad_entries_are_named(
    dataset: Path,
    change: Callable[[Frames], object],
    error: type[NvsError],
    message: str,
) -> None:
    edit(dataset, change)
    with pytest.raises(error, match=message):
        load_views(dataset)


def test_a_link_that_leads_outside_is_refused(dataset: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (24, 16)).save(secret)
    (dataset / "images/2.png").unlink()
    (dataset / "images/2.png").symlink_to(secret)
    with pytest.raises(DatasetError, match=r"2\.png' leads outside"):
        load_views(dataset)


def test_truncated_png_is_named(dataset: Path) -> None:
    path = dataset / "images/2.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ImageError, match=r"2\.png: truncated"):
        load_views(dataset)


@pytest.mark.parametrize(
    ("side", "message"),
    [(10001, "10001×10001 pixels, over the limit"), (20000, "exceeds limit")],
)
def test_a_bomb_is_refused_before_it_is_decoded(
    dataset: Path, side: int, message: str
) -> None:
    Image.new("1", (side, side)).save(dataset / "images/2.png")
    with pytest.raises(ImageError, match=message):
        load_views(dataset)


def test_missing_images_are_left_out_and_said(
    dataset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (dataset / "images/2.png").unlink()
    assert len(load_views(dataset)) == 5
    assert "1 of 6 images are missing and left out: images/2.png" in caplog.text


def test_other_formats_are_refused(dataset: Path) -> None:
    Image.new("RGB", (24, 16)).save(dataset / "images/2.png", format="GIF")
    with pytest.raises(ImageError, match="not a PNG, JPEG"):
        load_views(dataset)


def test_json_that_is_cut_off(dataset: Path) -> None:
    file = dataset / "opencv_cameras.json"
    file.write_text(file.read_text()[:300])
    with pytest.raises(DatasetError, match="not readable JSON"):
        load_views(dataset)


def test_places_without_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is nothing there"):
        load_views(tmp_path / "none")
    with pytest.raises(DatasetError, match="in no known dataset layout"):
        load_views(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "IMG_1.HEIC").touch()
    (tmp_path / "walk.MOV").touch()
    with pytest.raises(DatasetError, match="no cameras: `nvs data pose"):
        load_views(tmp_path)
    with pytest.raises(DatasetError, match=r"video: nvs data frames .* --pose"):
        load_views(tmp_path / "walk.MOV")
    with pytest.raises(DatasetError, match="no dataset format 'x'"):
        load_views(tmp_path, format="x")


def test_a_view_that_is_not_there(dataset: Path) -> None:
    with pytest.raises(DatasetError, match=r"no view 6\. Choose from 0 to 5"):
        load_views(dataset, views=[6])


@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA", "P", "LA"])
def test_other_pixel_kinds_become_rgb(dataset: Path, mode: str) -> None:
    grey = np.tile(np.arange(24, dtype=np.uint8) * 10, (16, 1))
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode != "L":
        image = image.convert(mode)
    image.save(dataset / "images/2.png")
    found = load_views(dataset).image[2]
    expected = torch.from_numpy(grey).float().expand(3, 16, 24) / 255
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_gso_character(shared: Path) -> None:
    views = load_views(
        shared / "data" / "gso_character", size=64, views=range(0, 64, 8)
    )
    assert views.image.shape == (8, 3, 64, 64)
    torch.testing.assert_close(
        views.camera.center.norm(dim=-1),
        torch.full((8,), 2.7, dtype=torch.float64),
        atol=1e-4,
        rtol=0,
    )
    assert views.image[:, :, 0, 0].min() == 1.0, "the background is white"


def test_progress_is_told_and_may_cancel(dataset: Path) -> None:
    told: list[tuple[int, int]] = []
    load_views(dataset, size=16, views=[0, 3], progress=lambda *done: told.append(done))
    assert told == [(1, 2), (2, 2)]

    def cancel(done: int, total: int) -> None:
        raise InterruptedError(f"{done} of {total}")

    with pytest.raises(InterruptedError, match="1 of 2"):
        load_views(dataset, size=16, views=[0, 3], progress=cancel)


def test_intrinsics_of_another_resolution_are_said_and_taken(
    dataset: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def halve(frames: Frames) -> None:
        for frame in frames:
            frame |= {key: frame[key] / 2 for key in ("fx", "fy", "cx", "cy")}

    edit(dataset, halve)
    load_views(dataset)
    (record,) = caplog.records
    assert "principal point" in record.getMessage()
    assert "scale them by 2 in x and 2 in y" in record.getMessage()


@pytest.mark.parametrize("num_black", [1, 6])
def test_masks_that_leave_nothing_are_named(
    dataset: Path, num_black: int, caplog: pytest.LogCaptureFixture
) -> None:
    (dataset / "masks").mkdir()
    images = sorted((dataset / "images").iterdir())
    for index, image in enumerate(images):
        value = 0 if index < num_black else 255
        size = Image.open(image).size
        Image.new("L", size, value).save(dataset / "masks" / image.name)
    said = f"leave nothing of {num_black} of {len(images)} images: images/0.png"
    opened = open_views(dataset)
    for taken in (lambda: load_views(dataset), lambda: list(opened.in_groups(4))):
        caplog.clear()
        if num_black == len(images):
            with pytest.raises(ImageError, match=said):
                taken()
        else:
            taken()
            assert any(said in record.getMessage() for record in caplog.records)
    if num_black == len(images):
        with pytest.raises(ImageError, match=said):
            opened.border_white()


@pytest.mark.parametrize("folder", ["segmentation", "Alpha", "masks"])
def test_what_may_be_masks_and_is_not_used_is_named(
    dataset: Path, folder: str, caplog: pytest.LogCaptureFixture
) -> None:
    (dataset / folder).mkdir()
    Image.new("L", (8, 8)).save(dataset / folder / "another.png")
    load_views(dataset)
    (record,) = caplog.records
    assert f"pictures in {folder}/ are not used" in record.getMessage()


def test_sets_below_a_folder_are_named(dataset: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(dataset, both / "a")
    shutil.copytree(dataset, both / "more" / "b")
    with pytest.raises(DatasetError, match="A dataset is in a and more/b: give one of"):
        load_views(both)
    shutil.rmtree(both / "a")
    with pytest.raises(DatasetError, match="A dataset is in more/b: give it"):
        load_views(both)
