"""Names, addresses and headers with what texts can hold."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.server.hostile.target import ABSENT, Target, check_headers
from tests.server.hostile.test_bodies import CLOSE, JSON, document
from tests.server.hostile.test_pictures import picture

BAD_NAMES = {
    "nul": "a%00.png",
    "escape": "%1b%5b31m.png",
    "delete": "a%7f.png",
    "up": "..%2f..%2fetc%2fpasswd",
    "up plain": "a/%2e%2e/b.png",
    "dot": "./a.png",
    "absolute": "%2fetc%2fpasswd",
    "twice": "a%2f%2fb.png",
    "folder": "a%2f",
    "drive": "C:%2fa.png",
    "stream": "c:a.png",
    "backslash": "..%5ca.png",
    "long": "a" * 256,
    "long in bytes": "%c3%a9" * 128,
}
TEXTS = {
    "nul": '"\\u0000"',
    "escape": '"\\u001b[31m"',
    "half a surrogate": '"\\ud800"',
    "surrogates turned round": '"\\ude00\\ud83d"',
    "too long": '"' + "a" * 201 + '"',
    "empty": '""',
    "number": "1",
    "list": '["a"]',
}


def to(target: Target, name: str) -> str:
    return f"/v1/scenes/{target.scratch_id}/images/{name}"


@pytest.mark.parametrize("name", BAD_NAMES)
def test_image_names(target: Target, name: str) -> None:
    head = target.head(
        *("PUT", to(target, BAD_NAMES[name])),
        *(b"Content-Type: image/png", CLOSE),
        f"Content-Length: {len(picture())}".encode(),
    )
    _, answer = target.send(head + picture())
    response = document(answer)
    assert "set-cookie" not in response.headers
    target.refused(response, 422, "invalid", "name", "relative path")


@pytest.mark.parametrize(
    "name",
    [
        "\u202egnp.exe",
        "caf\u00e9.png",
        "cafe\u0301.png",
        "\u200b.png",
        "a;rm -rf ~.png",
        "$(id).png",
        "<script>.png",
        "' OR 1=1 --.png",
        "con.png",
        "%2e%2e.png",
        "{0}.png",
        "\U0001f4a9.png",
        "\ufffd.png",
    ],
)
def test_odd_names_are_only_names(target: Target, name: str) -> None:
    """Kept as they are, told apart, and given back the same."""
    path = to(target, quote(name))
    data = picture(height=40 + len(name))
    sent = target.call("PUT", path, content=data, headers={"Content-Type": "image/png"})
    assert sent.status_code in (200, 201), sent.text
    assert sent.json()["name"] == name
    assert target.call("GET", path).content == data
    assert target.call("DELETE", path).status_code == 204


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("field", ["name", "tags", "tags.0"])
def test_texts_of_scenes(target: Target, field: str, name: str) -> None:
    value = {"tags.0": f"[{TEXTS[name]}]"}.get(field, TEXTS[name])
    if (field, name) in (("tags", "list"), ("tags.0", "too long")):
        value = "[" + ",".join(['"a"'] * 33) + "]"
    more = "" if field == "name" else '"name": "a", '
    body = f'{{{more}"{field.partition(".")[0]}": {value}}}'
    headers = {"Content-Type": "application/json"}
    response = target.call("POST", "/v1/scenes", content=body, headers=headers)
    told = target.refused(response, 422, "invalid")
    assert told["errors"][0]["field"].startswith(field.partition(".")[0])


@pytest.mark.parametrize(
    "key", ["\\ud800", "\\u0000", "__proto__", "constructor", "a" * 5000]
)
def test_fields_that_are_none(target: Target, key: str) -> None:
    body = f'{{"name": "a", "{key}": 1}}'
    headers = {"Content-Type": "application/json"}
    response = target.call("POST", "/v1/scenes", content=body, headers=headers)
    target.refused(response, 422, "invalid")


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2000-01-01T00:00:00Z",
        "2030-01-01T00:00:00",
        "2030-02-30T00:00:00Z",
        "tomorrow",
        4102444800,
        1e300,
        True,
    ],
)
def test_times(target: Target, time: object) -> None:
    body = {"name": "a", "expires_at": time}
    for method, path in (("POST", "/v1/scenes"), ("PATCH", to(target, "")[:-8])):
        response = target.call(method, path, json=body)
        told = target.refused(response, 422, "invalid", "expires_at")
        assert told["errors"][0]["remedy"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/scenes/%00",
        "/v1/scenes/%ff",
        "/v1/scenes/%ed%a0%80",
        f"/v1/scenes/{ABSENT.upper()}",
        f"/v1/scenes/{ABSENT}%0a",
        "/v1/scenes/..%2f..",
        "/v1/scenes/../../../etc/passwd",
        "/v1/jobs/%00",
        f"/v1/scenes/{ABSENT}/images/a%0d%0aSet-Cookie:%20evil=1",
        "/viewer/..%2f..%2fapp.py",
        "/viewer/%2e%2e/%2e%2e/app.py",
        "/viewer/%00",
        "/viewer/%ed%a0%80",
        "/viewer/" + "a" * 5000,
        "/viewer//etc/passwd",
        "//evil.example/v1/me",
        "/v1/scenes/" + "a" * 5000,
    ],
)
def test_addresses(target: Target, path: str) -> None:
    _, answer = target.send(target.head("GET", path, CLOSE))
    target.refused(document(answer), 404, "not-found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=NaN", "limit"),
        ("tag=%00", "tag"),
        ("tag=" + "a" * 65, "tag"),
        ("state=none", "state"),
        ("cursor=%00%ff", "cursor"),
        ("cursor=" + "a" * 5000, "cursor"),
        ("cursor=' OR 1=1 --", "cursor"),
    ],
)
def test_queries(target: Target, query: str, field: str) -> None:
    response = target.call("GET", f"/v1/scenes?{query}")
    target.refused(response, 422, "invalid", field)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"X-Request-ID: a\r\nSet-Cookie: evil=1", 200),
        (b"X-Request-ID: a b\tc", 200),
        (b"X-Request-ID: " + b"a" * 5000, 200),
        (b"X-Request-ID: \xff\xfe", 200),
        (b"X-Request-ID: a\nSet-Cookie: evil=1", 200),
        (b"X-Request-ID: a\0b", 400),
        (b"Origin: http://[", 200),
        (b"Host: evil.example", 400),
        (b"Accept: " + b"*/*," * 5000, 200),
        (b"Range: bytes=" + b"9" * 5000 + b"-", 200),
        (b"If-None-Match: \xff", 200),
    ],
)
def test_headers(target: Target, line: bytes, status: int) -> None:
    found, answer = target.send(target.head("GET", "/v1/me", line, CLOSE))
    assert found == status, answer[:500]
    assert b"evil" not in answer.split(b"\r\n\r\n")[0].lower()
    assert b"\xff" not in answer


@pytest.mark.parametrize(
    "origin", [b"http://[", b"null", b"", b"https://evil.example", b"http://\xff"]
)
def test_origins(target: Target, origin: bytes) -> None:
    head = target.head("POST", "/v1/tickets", b"Origin: " + origin, CLOSE)
    _, answer = target.send(head)
    target.refused(document(answer), 403, "origin-refused", "NVS_ALLOWED_ORIGINS")


@pytest.mark.parametrize(
    "host", [b"evil.example", b"[", b"\xff", b"127.0.0.1.evil.example", b"a b", b""]
)
def test_hosts(target: Target, host: bytes) -> None:
    status, answer = target.send(
        b"GET /v1/me HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    )
    assert status == 400, answer


def test_idempotency_keys(target: Target) -> None:
    path = f"/v1/scenes/{target.scene_id}/videos"
    body = (
        b'{"trajectory": {"kind": "walk", "num_frames": 1}, "height": 16, "width": 16}'
    )
    for key in (b"", b"a" * 201):
        lines = (JSON, CLOSE, b"Idempotency-Key: " + key)
        length = f"Content-Length: {len(body)}".encode()
        _, answer = target.send(target.head("POST", path, *lines, length) + body)
        target.refused(document(answer), 422, "invalid", "idempotency-key")


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "POST", "PUT", "EVIL"])
def test_methods(target: Target, method: str) -> None:
    response = target.call(method, f"/v1/scenes/{ABSENT}")
    target.refused(response, 405, "method-not-allowed")
    assert response.headers["Allow"] == "DELETE, GET, HEAD, PATCH"
    check_headers(response.headers)
