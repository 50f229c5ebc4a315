"""Every reader and every writer, in pairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.errors import CameraError, ConfigError, DatasetError, ImageError, OutputError
from nvs.scene.datasets import read_dataset
from nvs.scene.frames import Frame
from nvs_data.writers import WRITERS, write_dataset

Make = Callable[[str, Path], Path]


@pytest.fixture(params=sorted(WRITERS))
def writer(request: pytest.FixtureRequest) -> str:
    return request.param


def _assert_same(found: Sequence[Frame], expected: Sequence[Frame]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.camera.height == other.camera.height
        assert one.camera.width == other.camera.width
        for name in ("world_from_camera", "intrinsics"):
            torch.testing.assert_close(
                getattr(one.camera, name),
                getattr(other.camera, name),
                atol=1e-6,
                rtol=0,
            )
        np.testing.assert_array_equal(one.load(), other.load())


def test_what_is_written_is_read_again(
    layout: str, writer: str, make_layout: Make, tmp_path: Path
) -> None:
    before = read_dataset(make_layout(layout, tmp_path / "in"))
    write_dataset(before.frames, tmp_path / "out", format=writer)
    after = read_dataset(tmp_path / "out")
    assert after.missing == ()
    _assert_same(after.frames, before.frames)
    stems = [Path(frame.name).stem for frame in before.frames]
    assert [Path(frame.name).stem for frame in after.frames] == stems


def test_a_real_set_survives_a_chain_of_all(shared: Path, tmp_path: Path) -> None:
    first = read_dataset(shared / "data/gso_character").frames[::8]
    frames: Sequence[Frame] = first
    for name in (*WRITERS, *WRITERS):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        write_dataset(frames, folder, format=name)
        frames = read_dataset(folder).frames
    _assert_same(frames, first)


def test_distortion_is_gone_and_pixels_are_kept(
    writer: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("nerfstudio", tmp_path / "in")
    file = folder / "transforms.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"k1": 0.2}))
    frames = read_dataset(folder).frames
    assert frames[0].source is None
    write_dataset(frames, tmp_path / "out", format=writer)
    _assert_same(read_dataset(tmp_path / "out").frames, frames)


def test_files_are_copied_byte_for_byte(
    writer: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("nerfstudio", tmp_path / "in")
    images = sorted((folder / "images").iterdir())
    Image.open(images[0]).save(images[0].with_suffix(".jpg"), quality=80)
    text = (folder / "transforms.json").read_text()
    (folder / "transforms.json").write_text(text.replace("0000.png", "0000.jpg"))
    write_dataset(read_dataset(folder).frames, tmp_path / "out", format=writer)
    written = sorted((tmp_path / "out/images").iterdir())
    assert [file.name for file in written] == [
        *("frame_00000.jpg", "frame_00001.png", "frame_00002.png")
    ]
    for file in written:
        assert file.read_bytes() == (folder / "images" / file.name).read_bytes()


def test_cameras_may_differ_in_size_and_focal_length(
    writer: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("nerfstudio", tmp_path / "in")
    content = json.loads((folder / "transforms.json").read_text())
    content["frames"][1] |= {"fl_x": 5.25, "cx": 1, "cy": 7, "w": 5, "h": 7}
    (folder / "transforms.json").write_text(json.dumps(content))
    Image.new("RGBA", (5, 7), (1, 2, 3, 4)).save(folder / "images/frame_00001.png")
    frames = read_dataset(folder).frames
    write_dataset(frames, tmp_path / "out", format=writer)
    _assert_same(read_dataset(tmp_path / "out").frames, frames)


@pytest.mark.parametrize("names", [["a/x.png", "b/X.png"], ["a b", "c"], ["é", ".."]])
def test_names_that_clash_or_are_unsafe_become_numbers(
    writer: str, make_layout: Make, tmp_path: Path, names: list[str]
) -> None:
    frames = read_dataset(make_layout("opencv", tmp_path / "in")).frames
    renamed = [
        Frame(name=name, camera=frame.camera, load=frame.load)
        for name, frame in zip(names, frames[:2], strict=True)
    ]
    write_dataset(renamed, tmp_path / "out", format=writer)
    files = sorted(file.name for file in (tmp_path / "out/images").iterdir())
    assert files == ["00000.png", "00001.png"]
    _assert_same(read_dataset(tmp_path / "out").frames, renamed)


def test_colmap_reads_what_is_written(make_layout: Make, tmp_path: Path) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    frames = read_dataset(make_layout("opencv", tmp_path / "in")).frames
    write_dataset(frames, tmp_path / "out", format="colmap")
    model = pycolmap.Reconstruction(str(tmp_path / "out/sparse/0"))
    assert model.num_cameras() == 1
    for index, frame in enumerate(frames):
        image = model.image(index + 1)
        found = image.cam_from_world().inverse().matrix()
        expected = frame.camera.world_from_camera[0, :3].numpy()
        np.testing.assert_allclose(found, expected, atol=1e-6)
        params = model.camera(image.camera_id).params
        np.testing.assert_allclose(params, frame.camera.intrinsics[0].numpy())


def test_an_existing_folder_is_never_replaced(
    writer: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("opencv", tmp_path / "in")
    frames = read_dataset(folder).frames
    with pytest.raises(OutputError, match="Name a new folder"):
        write_dataset(frames, folder, format=writer)
    assert len(read_dataset(folder).frames) == 3


def test_a_failure_leaves_nothing_behind(
    writer: str, make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("opencv", tmp_path / "in")
    frames = read_dataset(folder).frames
    (folder / "renderings/2.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"2\.png: not a"):
        write_dataset(frames, tmp_path / "out", format=writer)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_refuses_what_cannot_be_written(make_layout: Make, tmp_path: Path) -> None:
    frames = read_dataset(make_layout("opencv", tmp_path / "in")).frames
    with pytest.raises(ConfigError, match="opencv, nerfstudio, colmap"):
        write_dataset(frames, tmp_path / "out", format="llff")
    with pytest.raises(DatasetError, match="no frames"):
        write_dataset([], tmp_path / "out", format="opencv")
    broken = Frame(name="a", camera=frames[0].camera.resized(6, 8), load=frames[0].load)
    with pytest.raises(ImageError, match="a is 12×16 pixels, its camera is for 6×8"):
        write_dataset([broken], tmp_path / "out", format="opencv")
    frames[0].camera.intrinsics[0, 0] = -1
    with pytest.raises(CameraError, match="focal lengths"):
        write_dataset(frames, tmp_path / "out", format="opencv")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
