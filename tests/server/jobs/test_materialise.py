from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nvs.errors import DatasetError
from nvs.scene.datasets import read_dataset
from nvs_server.jobs.materialise import materialise, work_folder
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import FileKind, FileRecord
from tests.fakes.api import opencv, picture


class Scene:
    """Files in a blob store, and the folder that comes of them."""

    def __init__(self, tmp_path: Path) -> None:
        self.blobs = Blobs(tmp_path / "blobs", tmp_path / "cache", 2**20)
        self.folder = tmp_path / "folder"
        self.folder.mkdir()
        self.files: list[FileRecord] = []

    def add(self, path: str, data: bytes, kind: FileKind = "image") -> None:
        sha256 = self.blobs.put_bytes(data)
        self.files.append(
            FileRecord(path=path, kind=kind, sha256=sha256, num_bytes=len(data))
        )

    def images(self, *paths: str) -> None:
        for shade, path in enumerate(paths):
            self.add(path, picture(shade))

    def frames(self, path: str, content: Any) -> None:
        self.add(path, json.dumps(content).encode(), "cameras")

    def written(self) -> list[str]:
        materialise(self.files, self.blobs.local_path, self.folder)
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return sorted(str(path.relative_to(self.folder)) for path in found)

    def content(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_files_are_links_to_blobs(scene: Scene) -> None:
    scene.images("a.png", "sub/b.png")
    scene.frames("opencv_cameras.json", opencv("a.png", "sub/b.png"))
    assert scene.written() == ["a.png", "opencv_cameras.json", "sub/b.png"]
    for file in scene.files:
        blob = scene.blobs.local_path(file.sha256)
        assert (scene.folder / file.path).samefile(blob)


def test_frames_are_found_by_their_base_name(scene: Scene) -> None:
    scene.images("photos/a.png", "photos/b.png", "x/same.png", "y/same.png")
    names = ["./elsewhere/a.png", "C:\\data\\b.png", "same.png", "none.png"]
    scene.frames("opencv_cameras.json", opencv(*names))
    scene.written()
    named = [frame["file_path"] for frame in scene.content("opencv_cameras.json")]
    assert named == ["photos/a.png", "photos/b.png", "same.png", "none.png"]
    dataset = read_dataset(scene.folder)
    assert [frame.name for frame in dataset.frames] == ["photos/a.png", "photos/b.png"]
    assert dataset.missing == ("same.png", "none.png")


def test_the_stored_file_is_not_changed(scene: Scene) -> None:
    scene.images("photos/a.png")
    scene.frames("opencv_cameras.json", opencv("a.png"))
    scene.written()
    stored = scene.blobs.read(scene.files[1].sha256)
    assert json.loads(stored)[0]["file_path"] == "a.png"


def test_a_name_without_a_suffix(scene: Scene) -> None:
    scene.images("r_0.png", "train/r_1.png")
    frames = [
        {"file_path": name, "transform_matrix": []}
        for name in ("./train/r_0", "./train/r_1")
    ]
    scene.frames("transforms_train.json", {"frames": frames})
    scene.written()
    named = [f["file_path"] for f in scene.content("transforms_train.json")["frames"]]
    assert named == ["r_0.png", "./train/r_1"]


def test_a_camera_file_in_a_folder_reaches_its_images(scene: Scene) -> None:
    scene.images("a.png", "nerfstudio/images_4/b.png")
    frames = [
        {"file_path": name, "transform_matrix": []}
        for name in ("images/a.png", "images/b.png")
    ]
    scene.frames("nerfstudio/transforms.json", {"frames": frames})
    written = scene.written()
    named = [
        frame["file_path"]
        for frame in scene.content("nerfstudio/transforms.json")["frames"]
    ]
    assert named == ["a.png", "images_4/b.png"]
    assert "nerfstudio/a.png" in written


def test_other_layouts_get_their_image_folder(scene: Scene) -> None:
    scene.images("a.png", "sub/b.png")
    scene.add("sparse/0/cameras.txt", b"1", "cameras")
    assert scene.written() == [
        "a.png",
        "images/a.png",
        "images/b.png",
        "images/sub/b.png",
        "sparse/0/cameras.txt",
        "sub/b.png",
    ]


def test_an_image_folder_that_is_there_stays(scene: Scene) -> None:
    scene.images("images/a.png", "b.png")
    scene.add("sparse/0/cameras.txt", b"1", "cameras")
    assert scene.written() == ["b.png", "images/a.png", "sparse/0/cameras.txt"]


@pytest.mark.parametrize("content", ['"text"', "{}", "[1, {}]", '{"frames": 3}', "[["])
def test_what_cannot_be_read_is_left_to_the_reader(scene: Scene, content: str) -> None:
    scene.images("a.png")
    scene.add("transforms.json", content.encode(), "cameras")
    scene.written()
    assert (scene.folder / "transforms.json").read_text() == content


@pytest.mark.parametrize("paths", [("a", "a/b.png"), ("a/b.png", "a")])
def test_a_file_that_is_a_folder(scene: Scene, paths: tuple[str, str]) -> None:
    scene.images(*paths)
    with pytest.raises(DatasetError, match="lies below another file, or is the folder"):
        scene.written()


def test_work_folders_are_gone_afterwards(scene: Scene) -> None:
    with work_folder(scene.blobs) as folder:
        (folder / "a").write_text("x")
    assert list(scene.blobs.incoming().iterdir()) == []
