"""Bodies that are too large, too slow, too deep, or cut; heads that never end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.server.hostile.target import ABSENT, MIB, Target

LIMITS = {
    "images/a.png": ("image/png", 2 * MIB, "NVS_MAX_IMAGE_BYTES"),
    "cameras": ("application/json", 2 * MIB, "NVS_MAX_CAMERAS_BYTES"),
    "dataset": ("application/zip", 8 * MIB, "NVS_MAX_DATASET_BYTES"),
    "file": ("application/octet-stream", 8 * MIB, "NVS_MAX_SCENE_FILE_BYTES"),
}
JSON = b"Content-Type: application/json"
CLOSE = b"Connection: close"
CUTS = 5


def chunks(num_bytes: int) -> Iterator[bytes]:
    for _ in range(0, num_bytes, 2**16):
        yield bytes(2**16)


def document(answer: bytes) -> httpx.Response:
    """The answer that came over a socket."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [
        (name, value.strip()) for name, _, value in (x.partition(":") for x in lines)
    ]
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


@pytest.mark.parametrize("path", LIMITS)
def test_announced_too_large(target: Target, path: str) -> None:
    media, limit, setting = LIMITS[path]
    head = target.head(
        "PUT",
        f"/v1/scenes/{target.scratch_id}/{path}",
        *(b"Content-Type: " + media.encode(), CLOSE),
        f"Content-Length: {limit + 1}".encode(),
    )
    _, answer = target.send(head)
    target.refused(document(answer), 413, "too-large", str(limit), setting)


@pytest.mark.parametrize("path", LIMITS)
def test_too_large_in_chunks(target: Target, path: str) -> None:
    media, limit, setting = LIMITS[path]
    response = target.put(path, chunks(limit + 2**16), media)
    target.refused(response, 413, "too-large", str(limit), setting)


def test_json_too_large(target: Target) -> None:
    large = json.dumps({"name": "a", "tags": ["b" * MIB]}).encode()
    headers = {"Content-Type": "application/json"}
    response = target.call("POST", "/v1/scenes", content=large, headers=headers)
    target.refused(response, 413, "too-large", "NVS_MAX_JSON_BYTES")
    response = target.call(
        "POST", "/v1/scenes", content=chunks(2 * MIB), headers=headers
    )
    target.refused(response, 413, "too-large", "NVS_MAX_JSON_BYTES")


def test_endless_body_to_nowhere(target: Target) -> None:
    """An address that does not exist does not read what is sent to it."""
    headers = {"Content-Type": "application/json"}
    response = target.call(
        "POST", "/v1/nothing", content=chunks(2 * MIB), headers=headers
    )
    target.refused(response, 404, "not-found")


def test_no_length(target: Target) -> None:
    head = target.head(
        "PUT",
        f"/v1/scenes/{target.scratch_id}/dataset",
        b"Content-Type: application/zip",
        CLOSE,
    )
    _, answer = target.send(head)
    target.refused(document(answer), 411, "length-required", "content-length")


@pytest.mark.parametrize("path", LIMITS)
def test_empty(target: Target, path: str) -> None:
    response = target.put(path, b"", LIMITS[path][0])
    target.refused(response, 422, "invalid", "empty")


@pytest.mark.parametrize("sent", [b"", b"0123456789"])
def test_slow(target: Target, sent: bytes) -> None:
    """Neither nothing nor a trickle holds a request for ever."""
    head = target.head(
        *("PUT", f"/v1/scenes/{target.scratch_id}/images/a.png"),
        *(b"Content-Type: image/png", b"Content-Length: 1000000"),
    )
    _, answer = target.send(head + sent)
    target.refused(
        document(answer), 408, "body-timeout", f"{len(sent)} bytes", "pauses"
    )


def test_cut(target: Target) -> None:
    """A client that goes away in the middle leaves nothing behind."""
    incoming = target.served.data_folder / "blobs" / "incoming"
    head = target.head(
        *("PUT", f"/v1/scenes/{target.scratch_id}/images/cut.png"),
        *(b"Content-Type: image/png", b"Content-Length: 1000000"),
    )
    for _ in range(CUTS):
        target.send(head + bytes(1000), half_closed=True)

    def ended() -> bool:
        return (
            sum(one.get("problem") == "client-gone" for one in target.served.log)
            >= CUTS
        )

    with target.served.said:
        assert target.served.said.wait_for(ended, 30)
    names = target.call("GET", f"/v1/scenes/{target.scratch_id}/images").text
    assert "cut.png" not in names
    assert not list(incoming.iterdir())


def test_compressed(target: Target) -> None:
    response = target.put(
        "images/a.png", b"x", "image/png", **{"Content-Encoding": "gzip"}
    )
    target.refused(response, 415, "media-type", "gzip", "as it is")


NOT_JSON = {
    "deep list": b"[" * 200_000,
    "deep object": b'{"name":' * 100_000,
    "deep value": b'{"name": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long number": b'{"name": ' + b"9" * 10_000 + b"}",
    "cut": b'{"name": "ch',
    "latin-1": b'{"name": "caf\xe9"}',
    "two": b'{"name": "a"} {"name": "b"}',
    "text": b"name=chair",
}


@pytest.mark.parametrize("name", NOT_JSON)
@pytest.mark.parametrize("path", ["/v1/scenes", "render", "videos", "build"])
def test_not_json(target: Target, name: str, path: str) -> None:
    where = path if path[0] == "/" else f"/v1/scenes/{target.scene_id}/{path}"
    headers = {"Content-Type": "application/json"}
    response = target.call("POST", where, content=NOT_JSON[name], headers=headers)
    target.refused(response, 400, "malformed", "json")


@pytest.mark.parametrize(
    "body", ["null", "[]", "1", '"a"', "true", "{}", '{"name": null}', '{"name": {}}']
)
def test_other_json(target: Target, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = target.call("POST", "/v1/scenes", content=body, headers=headers)
    told = target.refused(response, 422, "invalid")
    assert told["errors"][0]["field"] in ("body", "name")
    assert told["errors"][0]["remedy"]


def test_many_and_long_fields(target: Target) -> None:
    many = {f"k{n}": n for n in range(50_000)}
    told = target.refused(target.call("POST", "/v1/scenes", json=many), 422, "invalid")
    assert len(told["errors"]) == 20
    long = {"name": "a", "k" * 900_000: 1}
    told = target.refused(target.call("POST", "/v1/scenes", json=long), 422, "invalid")
    assert told["errors"][0]["field"] == "k" * 80


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((b"Content-Length: 2", b"Content-Length: 3"), id="two lengths"),
        pytest.param(
            (b"Content-Length: 4", b"Transfer-Encoding: chunked"), id="smuggled"
        ),
        pytest.param((b"Content-Length: -1",), id="negative"),
        pytest.param((b"Content-Length: 1e3",), id="not a number"),
        pytest.param((b"Transfer-Encoding: gzip, chunked",), id="other encoding"),
    ],
)
def test_ambiguous_lengths(target: Target, lines: tuple[bytes, ...]) -> None:
    """What two servers could read in two ways is not read at all."""
    head = target.head("POST", "/v1/scenes", JSON, CLOSE, *lines)
    smuggled = b"0\r\n\r\nGET /v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, answer = target.send(head + smuggled)
    assert status in (400, 501)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("start", [b"GET /v1/me HTTP/1.1\r\nX: ", b"GET /"])
def test_endless_heads(target: Target, start: bytes) -> None:
    """Nothing has been checked yet when the head comes: it must not be kept."""
    with socket.create_connection((target.url.host, target.url.port or 80)) as attack:
        attack.settimeout(30)
        attack.sendall(start)

        def go_on() -> None:
            for _ in range(128):
                attack.sendall(b"a" * MIB)

        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            go_on()
    assert target.call("GET", f"/v1/scenes/{ABSENT}").status_code == 404
