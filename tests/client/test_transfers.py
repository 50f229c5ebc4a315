"""Files on their way: what is sent and what is skipped, and what breaks off."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from nvs.client import Client, ServiceAnswerError, ServiceError, UploadProgress
from nvs.client.transfers import Download, FileBody
from nvs.errors import DatasetError, OutputError
from tests.fakes.api import opencv, zip_of
from tests.fakes.backend import SCENE_MAGIC
from tests.fakes.proxy import Fault
from tests.fakes.service import Service

PUT_IMAGE = "PUT /v1/scenes/[^/]*/images/.*"
FILE = "PUT .*/file"
CONTENT = SCENE_MAGIC + bytes(range(256)) * 4096


@pytest.fixture
def large(service: Service) -> str:
    """A scene whose file is of `CONTENT`."""
    return service.stored(CONTENT)


def images(service: Service, scene_id: str) -> set[str]:
    items = service.call("GET", f"/v1/scenes/{scene_id}/images").json()["items"]
    return {one["name"] for one in items}


def test_a_folder_sends_the_named_images(
    call, service, dataset: Path, scene_id: str
) -> None:
    report = call("upload_dataset", scene_id, dataset)
    assert report.num_frames == 2
    assert images(service, scene_id) == {"images/0.png", "images/1.png"}
    data = (dataset / "images/0.png").read_bytes()
    (sent,) = service.proxy.requests_of("PUT .*/images/0.png")
    assert sent.body == data
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert sent.headers["content-digest"] == f"sha-256=:{digest}:"
    assert sent.headers["content-type"] == "image/png"
    (cameras,) = service.proxy.requests_of("PUT .*/cameras")
    assert cameras.headers["content-type"] == "application/json"
    assert cameras.body == (dataset / "opencv_cameras.json").read_bytes()


def test_only_what_is_missing_or_changed_is_sent(
    call, service, dataset, scene_id: str
) -> None:
    call("upload_dataset", scene_id, dataset)
    Image.new("RGB", (48, 32), "yellow").save(dataset / "images/1.png")
    seen: list[UploadProgress] = []
    service.proxy.requests.clear()
    call("upload_dataset", scene_id, dataset, on_progress=seen.append)
    assert [one.line for one in service.proxy.requests_of(PUT_IMAGE)] == [
        f"PUT /v1/scenes/{scene_id}/images/images/1.png"
    ]
    assert [(p.name, p.is_skipped) for p in seen] == [
        ("images/0.png", True),
        ("images/1.png", False),
        ("cameras", False),
    ]
    assert all(p.done_bytes == p.num_bytes for p in seen)
    assert [p.num_files_done for p in seen] == [0, 1, 2]


def test_an_upload_that_breaks_off_is_sent_again(
    call, service, tmp_path, scene_id: str
) -> None:
    file = tmp_path / "a.scene"
    file.write_bytes(CONTENT)
    service.proxy.faults = [
        Fault(pattern="PUT .*", after_bytes=300_000),
        Fault(pattern="PUT .*", after_bytes=1000),
    ]
    seen: list[int] = []
    done = call(
        "upload_scene_file",
        scene_id,
        file,
        on_progress=lambda done, total: seen.append(done),
    )
    assert done.state == "ready"
    stored = service.call("GET", f"/v1/scenes/{scene_id}/file")
    assert stored.content == CONTENT
    assert seen[-1] == file.stat().st_size
    assert len(service.proxy.requests) == 3


def test_a_refusal_before_the_end_is_understood(
    call, service, tmp_path, scene_id: str
) -> None:
    file = tmp_path / "a.scene"
    file.write_bytes(bytes(2**22))
    service.proxy.faults = [Fault(pattern="PUT .*", status=413)]
    with pytest.raises(Exception, match="refused with 413"):
        call("upload_scene_file", scene_id, file)


def test_other_layouts_send_images_and_a_zip_of_cameras(
    call, service, tmp_path, scene_id: str
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
    call("upload_dataset", scene_id, folder)
    assert images(service, scene_id) == {"images/a.jpg", "images_4/a.jpg"}
    (sent,) = service.proxy.requests_of("PUT .*/cameras")
    with zipfile.ZipFile(io.BytesIO(sent.body)) as archive:
        assert archive.namelist() == ["sparse/0/cameras.bin"]
    assert sent.headers["content-type"] == "application/zip"


def test_a_zip_replaces_the_dataset(
    call, service, dataset, tmp_path, scene_id: str
) -> None:
    file = tmp_path / "a.zip"
    cameras = json.dumps(opencv("images/0.png")).encode()
    picture = (dataset / "images/0.png").read_bytes()
    content = {"opencv_cameras.json": cameras, "images/0.png": picture}
    file.write_bytes(zip_of(content))
    call("upload_zip", scene_id, file)
    assert images(service, scene_id) == {"images/0.png"}
    (sent,) = service.proxy.requests_of("PUT .*/dataset")
    assert sent.body == file.read_bytes()


def test_names_are_quoted(call, service, dataset, scene_id: str) -> None:
    odd = "a b/50%41 ü?#.png"
    call("upload_image", scene_id, dataset / "unused.png", name=odd)
    assert images(service, scene_id) == {odd}
    assert call("image", scene_id, odd) == (dataset / "unused.png").read_bytes()


def test_a_file_that_shrinks_is_refused(
    call, service, dataset, monkeypatch, scene_id: str
) -> None:
    hashed = FileBody.of

    def then_cut(path: Path, *args: object) -> object:
        body = hashed(path, *args)
        path.write_bytes(b"short")
        return body

    monkeypatch.setattr(FileBody, "of", staticmethod(then_cut))
    with pytest.raises(DatasetError, match="changed while it was being sent"):
        call("upload_image", scene_id, dataset / "unused.png")


def test_the_type_is_what_the_file_is(client, service, tmp_path, scene_id: str) -> None:
    for kind in ("png", "jpeg", "webp", "tiff", "bmp"):
        Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", kind)
        client.upload_image(scene_id, tmp_path / "a.jpg")
        assert service.proxy.requests[-1].headers["content-type"] == f"image/{kind}"
    (tmp_path / "a.jpg").write_text("<html>")
    with pytest.raises(DatasetError, match=r"a\.jpg is not a PNG, JPEG"):
        client.upload_image(scene_id, tmp_path / "a.jpg")


def test_a_file_that_is_not_there(call, tmp_path, scene_id: str) -> None:
    with pytest.raises(DatasetError, match=r"cannot read .*no\.png: No such file"):
        call("upload_image", scene_id, tmp_path / "no.png")


def test_photographs_are_sent_without_cameras(
    call, service, dataset, scene_id: str
) -> None:
    sent = call("upload_photos", scene_id, dataset)
    assert (sent.num_images, sent.has_cameras) == (
        len(images(service, scene_id)),
        False,
    )
    service.proxy.requests.clear()
    call("upload_photos", scene_id, dataset)
    assert not service.proxy.requests_of("PUT .*")
    with pytest.raises(DatasetError, match="is no folder with photographs"):
        call("upload_photos", scene_id, dataset / "images/0.png")


def test_a_video_is_sent_and_taken_away(
    call, service, tmp_path: Path, scene_id: str
) -> None:
    file = tmp_path / "walk.MOV"
    file.write_bytes(b"a video")
    assert call("upload_video", scene_id, file).num_bytes == 7
    (sent,) = service.proxy.requests_of("PUT .*/video")
    assert sent.headers["content-type"] == "video/quicktime"
    assert call("scene", scene_id).has_video
    call("delete_video", scene_id)
    assert not call("scene", scene_id).has_video
    with pytest.raises(DatasetError, match="is not named as a video is"):
        call("upload_video", scene_id, tmp_path / "walk.txt")


def test_a_broken_download_goes_on_where_it_stopped(
    call, service, tmp_path, large: str
) -> None:
    service.proxy.faults = [
        Fault(pattern="GET .*", after_bytes=100_000),
        Fault(pattern="GET .*", status=503),
        Fault(pattern="GET .*", after_bytes=200_000),
    ]
    seen: list[tuple[int, int]] = []
    file = tmp_path / "a.scene"
    size = call(
        "download_scene", large, file, on_progress=lambda *now: seen.append(now)
    )
    assert size == len(CONTENT)
    assert file.read_bytes() == CONTENT
    ranges = [one.headers.get("range") for one in service.proxy.requests]
    assert ranges == [None, "bytes=100000-", "bytes=100000-", "bytes=300000-"]
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_progress_pays_for_any_number_of_breaks(
    call, service, tmp_path, large: str
) -> None:
    service.proxy.faults = [Fault(pattern="GET .*", after_bytes=50_000)] * 15
    call("download_scene", large, tmp_path / "v.mp4")
    assert (tmp_path / "v.mp4").read_bytes() == CONTENT


def test_content_that_changed_meanwhile_is_fetched_anew(
    service, tmp_path, large
) -> None:
    service.proxy.faults = [Fault(pattern="GET .*", after_bytes=100_000)]
    new = SCENE_MAGIC + bytes(range(256))[::-1] * 4096

    def change(done: int, total: int) -> None:
        service.store(large, new)

    with Client(service.url) as client:
        client.download_scene(large, tmp_path / "a.scene", on_progress=change)
    assert (tmp_path / "a.scene").read_bytes() == new


def test_a_refused_download_leaves_nothing(
    call, service, tmp_path: Path, large: str
) -> None:
    service.proxy.faults = [Fault(pattern="GET .*", status=404)]
    file = tmp_path / "a.scene"
    file.write_text("earlier")
    with pytest.raises(ServiceError, match="refused with 404"):
        call("download_scene", large, file)
    assert file.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_only_a_success_is_saved(
    call, service, tmp_path: Path, status: int, large: str
) -> None:
    there = {"Location": "https://login.example/page?token=secret"}
    headers = there if status not in (300, 304) else {}
    service.proxy.faults = [Fault(pattern="GET .*", status=status, headers=headers)]
    with pytest.raises(ServiceError) as caught:
        call("download_scene", large, tmp_path / "a.scene")
    assert caught.value.status == status
    assert list(tmp_path.iterdir()) == []
    assert len(service.proxy.requests) == 1
    if headers:
        assert "leads to https://login.example" in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("method", ["me", "scene"])
def test_no_answer_is_read_from_a_redirect(
    call, service, method: str, scene_id: str
) -> None:
    there = {"Location": "/elsewhere"}
    service.proxy.faults = [Fault(pattern="GET .*", status=302, headers=there)]
    with pytest.raises(ServiceError, match="answered 302"):
        call(method, *[scene_id] * (method == "scene"))


def test_damage_on_the_way_is_noticed(
    call, service, tmp_path, monkeypatch, large: str
) -> None:
    receive = Download.receive
    monkeypatch.setattr(
        Download,
        "receive",
        lambda self, chunk: receive(self, chunk.replace(b"\0", b"\1")),
    )
    with pytest.raises(ServiceAnswerError, match=r"arrived damaged .SHA-256"):
        call("download_scene", large, tmp_path / "a.scene")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(
    call, service, tmp_path: Path, large: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        call("download_scene", large, tmp_path / "file/a.scene")
