"""Uploads: what is sent, what is skipped, and what happens when they break off."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from nvs.client import UploadProgress
from nvs.errors import DatasetError

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"
PUT_IMAGE = "PUT .*/images/.*"


def test_a_folder_sends_the_named_images(call, service, dataset: Path) -> None:
    report = call("upload_dataset", SCENE_ID, dataset)
    assert report.num_frames == 2
    assert set(service.images) == {"images/0.png", "images/1.png"}
    data = (dataset / "images/0.png").read_bytes()
    assert service.images["images/0.png"] == data
    (sent,) = service.requests_of("PUT .*/images/0.png")
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert sent.headers["content-digest"] == f"sha-256=:{digest}:"
    assert sent.headers["content-type"] == "image/png"
    (cameras,) = service.requests_of("PUT .*/cameras")
    assert cameras.headers["content-type"] == "application/json"
    assert cameras.body == (dataset / "opencv_cameras.json").read_bytes()


def test_only_what_is_missing_or_changed_is_sent(call, service, dataset) -> None:
    call("upload_dataset", SCENE_ID, dataset)
    (dataset / "images/1.png").write_bytes(b"\x89PNG\r\n\x1a\nof another kind")
    seen: list[UploadProgress] = []
    service.requests.clear()
    call("upload_dataset", SCENE_ID, dataset, on_progress=seen.append)
    assert [one.line for one in service.requests_of(PUT_IMAGE)] == [
        f"PUT /v1/scenes/{SCENE_ID}/images/images/1.png"
    ]
    assert [(p.name, p.is_skipped) for p in seen] == [
        ("images/0.png", True),
        ("images/1.png", False),
        ("cameras", False),
    ]
    assert all(p.done_bytes == p.num_bytes for p in seen)
    assert [p.num_files_done for p in seen] == [0, 1, 2]


def test_an_upload_that_breaks_off_is_sent_again(
    call, service, fakes, tmp_path
) -> None:
    file = tmp_path / "a.scene"
    file.write_bytes(bytes(range(256)) * 4096)
    service.faults = [
        fakes.Fault("PUT .*", after_bytes=300_000),
        fakes.Fault("PUT .*", after_bytes=1000),
    ]
    seen: list[int] = []
    done = call(
        "upload_scene_file",
        SCENE_ID,
        file,
        on_progress=lambda done, total: seen.append(done),
    )
    assert done.state == "ready"
    assert service.files["file"] == file.read_bytes()
    assert seen[-1] == file.stat().st_size
    assert len(service.requests) == 3


def test_a_refusal_before_the_end_is_understood(call, service, fakes, tmp_path) -> None:
    file = tmp_path / "a.scene"
    file.write_bytes(bytes(2**22))
    service.faults = [fakes.Fault("PUT .*", status=413)]
    with pytest.raises(Exception, match="refused with 413"):
        call("upload_scene_file", SCENE_ID, file)


def test_other_layouts_send_images_and_a_zip_of_cameras(
    call, service, tmp_path
) -> None:
    folder = tmp_path / "room"
    (folder / "sparse/0").mkdir(parents=True)
    (folder / "images").mkdir()
    (folder / "images_4").mkdir()
    (folder / ".cache").mkdir()
    for name in ("images/a.jpg", "images_4/a.jpg", ".cache/b.jpg"):
        Image.new("RGB", (48, 32)).save(folder / name)
    (folder / "sparse/0/cameras.bin").write_bytes(b"cameras")
    (folder / "sparse/0/points3D.bin").write_bytes(b"points")
    call("upload_dataset", SCENE_ID, folder)
    assert set(service.images) == {"images/a.jpg"}
    with zipfile.ZipFile(io.BytesIO(service.files["cameras"])) as archive:
        assert archive.namelist() == ["sparse/0/cameras.bin"]
    (sent,) = service.requests_of("PUT .*/cameras")
    assert sent.headers["content-type"] == "application/zip"


def test_a_zip_replaces_the_dataset(call, service, tmp_path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("transforms.json", "{}")
    call("upload_zip", SCENE_ID, file)
    assert service.files["dataset"] == file.read_bytes()


def test_names_are_quoted(call, service, dataset) -> None:
    odd = "a b/50%41 ü?#.png"
    call("upload_image", SCENE_ID, dataset / "unused.png", name=odd)
    assert set(service.images) == {odd}
    assert call("image", SCENE_ID, odd) == (dataset / "unused.png").read_bytes()


def test_a_file_that_shrinks_is_refused(call, service, dataset, monkeypatch) -> None:
    from nvs.client import uploads

    hashed = uploads.FileBody.of

    def then_cut(path: Path, *args: object) -> object:
        body = hashed(path, *args)
        path.write_bytes(b"short")
        return body

    monkeypatch.setattr(uploads.FileBody, "of", staticmethod(then_cut))
    with pytest.raises(DatasetError, match="changed while it was being sent"):
        call("upload_image", SCENE_ID, dataset / "unused.png")


def test_the_type_is_what_the_file_is(client, service, tmp_path) -> None:
    for kind in ("png", "jpeg", "webp", "tiff", "bmp"):
        Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", kind)
        client.upload_image(SCENE_ID, tmp_path / "a.jpg")
        assert service.requests[-1].headers["content-type"] == f"image/{kind}"
    (tmp_path / "a.jpg").write_text("<html>")
    with pytest.raises(DatasetError, match=r"a\.jpg is not a PNG, JPEG"):
        client.upload_image(SCENE_ID, tmp_path / "a.jpg")


def test_a_file_that_is_not_there(call, tmp_path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read .*no\.png: No such file"):
        call("upload_image", SCENE_ID, tmp_path / "no.png")
