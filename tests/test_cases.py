"""Small inputs that people have, of the reference data: each read, or said why not.

| case | siblings of its kind |
| --- | --- |
| 01-framing-default | `scene/test_framing.py`, `cli/test_build_render.py` |
| 02-utm | `data_tools/test_readers.py`, every layout; `scene/test_framing.py` |
| 03-zip-names | `server/edge/test_archives.py`, `server/hostile/test_archives.py` |
| 05-viewer-path | `cameras/test_camera_path.py` |
| 06-vfr-video | `data_tools/test_video.py` |
| 07-hash-name, 08-heic-mixed | `data_tools/test_posing.py`, `test_images.py` |
| 09-two-models, 13-points-lines | `data_tools/test_readers_colmap.py` |
| 10-names-of-images | `scene/test_image_files.py` |
| 12-mask-path | `scene/test_masks.py`, `data_tools/test_readers_transforms.py` |
| 15-appledouble | `data_tools/test_readers.py`, `scene/test_image_files.py` |
| 17-bom | `data_tools/test_readers.py`, every layout |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nvs.cameras import Camera, read_camera_path
from nvs.model.trained_on import TrainedOn
from nvs.scene import Renderer, load_views
from nvs.scene.datasets import read_dataset
from nvs.scene.framing import choose
from nvs.scene.holdout import compare
from nvs_data.photos import list_photos, unused_pictures
from nvs_data.posing import pose
from nvs_data.video import extract_frames

OBJECTS = TrainedOn(poses="object", distance=(2.0, 3.4))


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    return shared / "cases"


def cameras_of(path: Path) -> Camera:
    return Camera.cat([frame.camera for frame in read_dataset(path).frames])


def framed(camera: Camera) -> Camera:
    return choose(camera, OBJECTS, framing="object").required().apply(camera)


def test_01_a_capture_in_a_world_of_its_own_is_framed(cases: Path) -> None:
    views = load_views(cases / "01-framing-default/chair", size=64)
    renderer = Renderer.from_weights("lact_small", device="cpu", precision="float32")
    inputs, held_out = views[[i for i in range(len(views)) if i % 8]], views[::8]
    scene = renderer.prefill(inputs)
    assert scene.normalisation.kind == "object"
    assert compare(renderer, scene, inputs, held_out).render.psnr_db > 20.4


@pytest.mark.parametrize("name", ["radius_14m", "radius_3m"])
def test_02_coordinates_of_maps_are_exact(cases: Path, name: str) -> None:
    far, near = (
        framed(cameras_of(cases / "02-utm" / folder))
        for folder in (name, "same_at_origin")
    )
    torch.testing.assert_close(
        far.world_from_camera, near.world_from_camera, rtol=0, atol=1e-6
    )


def test_05_a_path_of_another_world_says_what_it_needs(
    cases: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_camera_path(cases / "05-viewer-path/path_viewer.json")
    assert "dataparser_transforms.json" in caplog.text


def test_06_frames_are_spread_over_time(cases: Path, tmp_path: Path) -> None:
    extract_frames(cases / "06-vfr-video/vfr.mp4", tmp_path / "out", count=11)
    names = sorted((tmp_path / "out").iterdir())
    first_second = [name for name in names if int(name.stem) < 30]
    assert len(names) == 11
    assert len(first_second) <= 2


@pytest.mark.parametrize("name", [pytest.param("one", marks=pytest.mark.slow), "all"])
def test_07_any_name_is_posed(cases: Path, tmp_path: Path, name: str) -> None:
    report = pose(cases / "07-hash-name" / name, tmp_path / "out", num_threads=1)
    assert (len(report.registered), report.dropped) == (8, ())


def test_08_what_is_left_out_is_named(cases: Path, tmp_path: Path) -> None:
    report = pose(cases / "08-heic-mixed/photos", tmp_path / "out", num_threads=1)
    assert len(report.registered) + len(report.left_out) == 8
    assert {left.name for left in report.left_out} <= {
        f"IMG_{number}.HEIC" for number in (5, 6, 7)
    }


def test_09_the_largest_model_is_read_and_the_other_named(cases: Path) -> None:
    found = read_dataset(cases / "09-two-models/set")
    assert len(found.frames) == 7
    assert any("sparse/0 (2)" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "count"),
    [("backslash", 8), ("other_case", 3), ("suffix_absent_PNG", 3), ("nfd", 3)],
)
def test_10_names_mean_what_people_mean(cases: Path, name: str, count: int) -> None:
    found = read_dataset(cases / "10-names-of-images" / name)
    assert (len(found.frames), found.missing) == (count, ())


def test_12_a_listed_mask_is_transparency(cases: Path) -> None:
    frames = read_dataset(cases / "12-mask-path/set").frames
    alpha = [frame.pixels()[..., 3] for frame in frames]
    assert all(0 < np.mean(one == 0) < 1 for one in alpha)


def test_13_the_header_counts_the_images(cases: Path) -> None:
    found = read_dataset(cases / "13-points-lines/set")
    assert (len(found.frames), found.missing) == (8, ())


def test_15_what_finder_leaves_is_not_looked_at(cases: Path) -> None:
    assert len(read_dataset(cases / "15-appledouble/llff").frames) == 5
    photos = cases / "15-appledouble/photos"
    assert len(list_photos(photos)) == 8
    assert not list(unused_pictures(photos))


@pytest.mark.parametrize("name", ["transforms", "colmap_text"])
def test_17_a_byte_order_mark_is_passed_over(cases: Path, name: str) -> None:
    assert read_dataset(cases / "17-bom" / name).frames
