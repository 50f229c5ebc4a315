from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nvs_server.storage.errors import BlobMissing, StorageFull
from tests.fakes.api import Api, picture, refused


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def incoming(api: Api) -> list[Path]:
    return list(api.state.blobs.incoming().iterdir())


def test_an_image_is_taken_listed_read_and_deleted(api: Api) -> None:
    scene_id, data = api.make(), picture(3)
    answer = api.put(
        scene_id, "images/sub/a.png", data, **{"Content-Digest": digest(data)}
    )
    assert answer.status_code == 201
    expected = {
        "name": "sub/a.png",
        "sha256": hashlib.sha256(data).hexdigest(),
        "num_bytes": len(data),
        "height": 16,
        "width": 16,
    }
    assert answer.json() == expected
    path = f"/v1/scenes/{scene_id}/images"
    assert api.call("GET", path).json() == {"items": [expected]}
    scene = api.scene(scene_id)
    assert (scene["state"], scene["num_images"]) == ("uploading", 1)
    assert scene["input_bytes"] == len(data)

    got = api.call("GET", f"{path}/sub/a.png")
    assert got.content == data
    assert got.headers["content-type"] == "image/png"
    assert got.headers["etag"] == f'"{expected["sha256"]}"'
    tag = {"If-None-Match": got.headers["etag"]}
    assert api.call("GET", f"{path}/sub/a.png", headers=tag).status_code == 304

    assert api.call("DELETE", f"{path}/sub/a.png").status_code == 204
    document = refused(api.call("DELETE", f"{path}/sub/a.png"), 404, "not-found")
    assert document["detail"] == "There is no image 'sub/a.png' in this scene."
    refused(api.call("GET", f"{path}/sub/a.png"), 404, "not-found")
    assert incoming(api) == []


def test_the_same_bytes_again_change_nothing(api: Api) -> None:
    scene_id, data = api.make(), picture()
    assert api.put(scene_id, "images/a.png", data).status_code == 201
    before = api.scene(scene_id)
    again = api.put(scene_id, "images/a.png", data)
    assert again.status_code == 200
    assert api.scene(scene_id) == before
    assert api.backend.calls["inspect_image"] == 1


def test_a_damaged_blob_is_replaced_by_the_same_bytes(api: Api) -> None:
    scene_id, data = api.make(), picture()
    sha256 = api.put(scene_id, "images/a.png", data).json()["sha256"]
    api.state.blobs.local_path(sha256).write_bytes(b"altered")
    assert api.put(scene_id, "images/a.png", data).is_success
    assert api.call("GET", f"/v1/scenes/{scene_id}/images/a.png").content == data


def test_a_lost_blob_is_replaced_by_the_same_bytes(api: Api) -> None:
    scene_id, data = api.make(), picture()
    sha256 = api.put(scene_id, "images/a.png", data).json()["sha256"]
    api.state.blobs.delete(sha256)
    answer = api.call("GET", f"/v1/scenes/{scene_id}/images/a.png")
    refused(answer, 500, "blob-lost")
    assert api.put(scene_id, "images/a.png", data).status_code == 200
    assert api.call("GET", f"/v1/scenes/{scene_id}/images/a.png").content == data


def test_another_image_of_the_name_replaces_it(api: Api) -> None:
    scene_id = api.make()
    api.put(scene_id, "images/a.png", picture(1))
    answer = api.put(scene_id, "images/a.png", picture(2, side=24))
    assert answer.status_code == 200
    assert answer.json()["height"] == 24
    scene = api.scene(scene_id)
    assert scene["num_images"] == 1
    assert scene["input_bytes"] == len(picture(2, side=24))


@pytest.mark.parametrize(
    ("kind", "media"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("BMP", "image/bmp"),
    ],
)
def test_every_format_comes_back_with_its_type(api: Api, kind: str, media: str) -> None:
    scene_id = api.make()
    data = picture(kind=kind)
    assert api.put(scene_id, "images/photo", data, media).status_code == 201
    got = api.call("GET", f"/v1/scenes/{scene_id}/images/photo")
    assert got.headers["content-type"] == media
    assert got.content == data


Case = tuple[str, bytes, dict[str, str], int, str, str]
CASES: list[Case] = [
    ("..%2Fa.png", b"x", {}, 422, "invalid", "the image name '../a.png' has a part"),
    ("/etc/passwd", b"x", {}, 422, "invalid", "'/etc/passwd' is an absolute path"),
    ("a%5Cb.png", b"x", {}, 422, "invalid", "holds a backslash"),
    ("a%00.png", b"x", {}, 422, "invalid", "holds control characters"),
    ("C:a.png", b"x", {}, 422, "invalid", "begins with a drive letter"),
    ("a" * 256, b"x", {}, 422, "invalid", "a part of 256 bytes, over the limit of 255"),
    ("a.png", b"", {}, 422, "invalid", "The body is empty."),
    ("a.png", b"GIF89a", {}, 422, "invalid", "a.png: not a PNG, JPEG"),
    ("a.png", picture()[:-30], {}, 422, "invalid", "a.png: truncated or"),
    (
        "a.png",
        picture(),
        {"Content-Type": "text/html"},
        415,
        "media-type",
        "Content-Type is 'text/html'.",
    ),
    (
        "a.png",
        picture(),
        {"Content-Type": "image/jpeg"},
        415,
        "media-type",
        "Content-Type is image/jpeg, but 'a.png' is image/png.",
    ),
    (
        "a.png",
        picture(),
        {"Content-Digest": digest(b"other")},
        422,
        "digest-mismatch",
        f"Content-Digest says {hashlib.sha256(b'other').hexdigest()}",
    ),
    (
        "a.png",
        picture(),
        {"Content-Digest": "sha-256=abc"},
        400,
        "malformed",
        "Content-Digest is 'sha-256=abc'.",
    ),
    (
        "a.png",
        picture(),
        {"Content-Digest": "sha-256=:YWJj:"},
        400,
        "malformed",
        "Content-Digest is 'sha-256=:YWJj:'.",
    ),
    (
        "a.png",
        picture(),
        {"Content-Encoding": "gzip"},
        415,
        "media-type",
        "Content-Encoding is 'gzip'.",
    ),
]


@pytest.mark.parametrize(
    ("name", "data", "headers", "status", "slug", "text"),
    CASES,
    ids=[f"{case[4]}-{number}" for number, case in enumerate(CASES)],
)
def test_refuses(
    api: Api,
    name: str,
    data: bytes,
    headers: dict[str, str],
    status: int,
    slug: str,
    text: str,
) -> None:
    scene_id = api.make()
    kind = headers.get("Content-Type", "image/png")
    others = {key: value for key, value in headers.items() if key != "Content-Type"}
    answer = api.put(scene_id, f"images/{name}", data, kind, **others)
    assert text in refused(answer, status, slug)["detail"]
    assert api.scene(scene_id)["num_images"] == 0
    assert incoming(api) == []


def test_other_digests_are_ignored(api: Api) -> None:
    data = picture()
    both = f"sha-512=:AAAA:, {digest(data)}"
    answer = api.put(api.make(), "images/a.png", data, **{"Content-Digest": both})
    assert answer.status_code == 201


def test_limits(start: Callable[..., Api]) -> None:
    api = start(max_images=1, max_image_bytes=2000, quota_bytes=2500)
    scene_id = api.make()
    document = refused(
        api.put(scene_id, "images/a.bmp", bytes(2001), "image/bmp"), 413, "too-large"
    )
    assert "NVS_MAX_IMAGE_BYTES" in document["remedy"]

    def chunks() -> Iterator[bytes]:
        yield bytes(1500)
        yield bytes(1500)

    refused(api.put(scene_id, "images/a.bmp", chunks(), "image/bmp"), 413, "too-large")  # type: ignore[arg-type]
    assert incoming(api) == []
    assert api.put(
        scene_id, "images/a.bmp", picture(kind="BMP"), "image/bmp"
    ).is_success
    document = refused(
        api.put(scene_id, "images/b.bmp", picture(1, "BMP"), "image/bmp"),
        422,
        "invalid",
    )
    assert "the scene has 1 images, as many as it may have" in document["detail"]


def test_the_quota_of_bytes(start: Callable[..., Api]) -> None:
    api = start(quota_bytes=1000)
    scene_id = api.make()
    data = picture(kind="BMP")
    assert len(data) < 1000
    assert api.put(scene_id, "images/a.bmp", data, "image/bmp").is_success
    assert api.put(scene_id, "images/a.bmp", picture(1, "BMP"), "image/bmp").is_success
    document = refused(
        api.put(scene_id, "images/b.bmp", data, "image/bmp"), 403, "quota-exceeded"
    )
    assert "the quota of 1000 bytes does not allow this" in document["detail"]

    def in_one_chunk() -> Iterator[bytes]:
        yield data

    unannounced = api.put(scene_id, "images/b.bmp", in_one_chunk(), "image/bmp")  # type: ignore[arg-type]
    refused(unannounced, 403, "quota-exceeded")
    assert api.scene(scene_id)["num_images"] == 1


def test_a_full_disk(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise StorageFull("the blob store")

    scene_id = api.make()
    monkeypatch.setattr(api.state.blobs, "put_file", full)
    document = refused(api.put(scene_id, "images/a.png", picture()), 507, "disk-full")
    assert document["detail"] == "no space is left for the blob store"
    assert api.scene(scene_id)["num_images"] == 0
    assert incoming(api) == []


def test_a_dropped_connection_leaves_nothing(api: Api) -> None:
    """The client goes away in the middle of the body."""
    scene_id = api.make()
    messages = [
        {"type": "http.request", "body": picture()[:50], "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": f"/v1/scenes/{scene_id}/images/a.png",
        "raw_path": b"",
        "query_string": b"",
        "root_path": "",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"image/png"),
            (b"content-length", b"5000"),
        ],
    }

    async def serve() -> None:
        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await api.client.app(scope, receive, send)

    api.on_loop(serve)
    assert incoming(api) == []
    assert api.scene(scene_id)["num_images"] == 0
    assert api.call("GET", f"/v1/scenes/{scene_id}/images").json() == {"items": []}


def test_files_cannot_change_while_they_are_built(api: Api) -> None:
    scene_id = api.uploaded()
    api.hold("build")
    job = api.build(scene_id).json()
    api.on_loop(api.backend.begun, "build")
    document = refused(api.put(scene_id, "images/c.png", picture(9)), 409, "building")
    assert "is being built" in document["detail"]
    path = f"/v1/scenes/{scene_id}/images/a.png"
    refused(api.call("DELETE", path), 409, "building")
    assert api.put(scene_id, "images/a.png", picture(0)).status_code == 200
    api.let_go("build")
    assert api.ended(job["id"])["state"] == "succeeded"


def test_reading_a_lost_file_says_so(api: Api) -> None:
    scene_id = api.built()
    sha256 = api.state.scenes.get("local", scene_id).scene_sha256
    api.state.blobs.delete(sha256)
    with pytest.raises(BlobMissing):
        api.state.blobs.read(sha256)
    answer = api.call("GET", f"/v1/scenes/{scene_id}/file")
    refused(answer, 500, "blob-lost")
