"""Downloads arrive whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvs.client import Client, ServiceAnswerError, ServiceError
from nvs.errors import OutputError

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"
CONTENT = bytes(range(256)) * 4096


def test_a_broken_download_goes_on_where_it_stopped(call, service, fakes, tmp_path):
    service.files["file"] = CONTENT
    service.faults = [
        fakes.Fault("GET .*", after_bytes=100_000),
        fakes.Fault("GET .*", status=503),
        fakes.Fault("GET .*", after_bytes=200_000),
    ]
    seen: list[tuple[int, int]] = []
    file = tmp_path / "a.scene"
    size = call(
        "download_scene", SCENE_ID, file, on_progress=lambda *now: seen.append(now)
    )
    assert size == len(CONTENT)
    assert file.read_bytes() == CONTENT
    ranges = [one.headers.get("range") for one in service.requests]
    assert ranges == [None, "bytes=100000-", "bytes=100000-", "bytes=300000-"]
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_progress_pays_for_any_number_of_breaks(call, service, fakes, tmp_path) -> None:
    service.files["file"] = CONTENT
    service.faults = [fakes.Fault("GET .*", after_bytes=50_000)] * 15
    call("download_scene", SCENE_ID, tmp_path / "v.mp4")
    assert (tmp_path / "v.mp4").read_bytes() == CONTENT


def test_content_that_changed_meanwhile_is_fetched_anew(service, fakes, tmp_path):
    service.files["file"] = CONTENT
    service.faults = [fakes.Fault("GET .*", after_bytes=100_000)]
    new = CONTENT[::-1]

    def change(done: int, total: int) -> None:
        service.files["file"] = new

    with Client(service.url) as client:
        client.download_scene(SCENE_ID, tmp_path / "a.scene", on_progress=change)
    assert (tmp_path / "a.scene").read_bytes() == new


def test_a_refused_download_leaves_nothing(
    call, service, fakes, tmp_path: Path
) -> None:
    service.faults = [fakes.Fault("GET .*", status=404)]
    file = tmp_path / "a.scene"
    file.write_text("earlier")
    with pytest.raises(ServiceError, match="refused with 404"):
        call("download_scene", SCENE_ID, file)
    assert file.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_only_a_success_is_saved(
    call, service, fakes, tmp_path: Path, status: int
) -> None:
    there = {"Location": "https://login.example/page?token=secret"}
    headers = there if status not in (300, 304) else {}
    service.faults = [fakes.Fault("GET .*", status=status, headers=headers)]
    with pytest.raises(ServiceError) as caught:
        call("download_scene", SCENE_ID, tmp_path / "a.scene")
    assert caught.value.status == status
    assert list(tmp_path.iterdir()) == []
    assert len(service.requests) == 1
    if headers:
        assert "leads to https://login.example" in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("method", ["me", "scene"])
def test_no_answer_is_read_from_a_redirect(call, service, fakes, method: str) -> None:
    there = {"Location": "/elsewhere"}
    service.faults = [fakes.Fault("GET .*", status=302, headers=there)]
    with pytest.raises(ServiceError, match="answered 302"):
        call(method, *[SCENE_ID] * (method == "scene"))


def test_damage_on_the_way_is_noticed(call, service, tmp_path, monkeypatch) -> None:
    from nvs.client import downloads

    service.files["file"] = CONTENT
    receive = downloads.FileSink.receive
    monkeypatch.setattr(
        downloads.FileSink,
        "receive",
        lambda self, chunk: receive(self, chunk.replace(b"\0", b"\1")),
    )
    with pytest.raises(ServiceAnswerError, match=r"arrived damaged .SHA-256"):
        call("download_scene", SCENE_ID, tmp_path / "a.scene")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(call, service, tmp_path: Path) -> None:
    service.files["file"] = CONTENT
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        call("download_scene", SCENE_ID, tmp_path / "file/a.scene")
