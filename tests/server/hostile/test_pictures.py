"""Images that are bombs, damaged, or not what they say."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib
from collections.abc import Callable

import httpx
import pytest
from PIL import Image

from tests.server.hostile.target import Target

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
HUGE = 60_000


def picture(kind: str = "PNG", height: int = 48, width: int = 64) -> bytes:
    """A gradient, so that no format packs it into a few bytes."""
    ramp = bytes((x * y + 31 * x) % 256 for y in range(height) for x in range(width))
    buffer = io.BytesIO()
    one = Image.frombytes("L", (width, height), ramp)
    Image.merge("RGB", (one, one, one)).save(buffer, kind)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def png(height: int, width: int, *more: bytes, rows: int = 0) -> bytes:
    """A PNG of a size, grey, with so many rows of data."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(rows * (width + 1)), 9)
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *more, chunk(b"IDAT", data))
    ) + chunk(b"IEND", b"")


def webp(height: int, width: int) -> bytes:
    """An extended WebP whose canvas is of a size."""
    sizes = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + sizes
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(height: int, width: int) -> bytes:
    """A TIFF whose tags promise a size, in one strip of eight bytes."""
    tags = ((256, width), (257, height), (258, 8), (259, 1), (262, 1))
    tags += ((273, 8), (277, 1), (278, height), (279, 8))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = struct.pack("<2sHI8x", b"II", 42, 16)
    return start + struct.pack("<H", len(tags)) + entries + bytes(4)


def endless_tiff() -> bytes:
    """A TIFF whose directory follows itself."""
    return tiff(16, 16)[:-4] + struct.pack("<I", 16)


def bmp(height: int, width: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 100, 0, 0, 54) + head + bytes(100)


def jpeg(height: int, width: int) -> bytes:
    """A small JPEG whose frame header promises a size."""
    data = picture("JPEG")
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def compressed_text() -> bytes:
    """A small PNG with a text that unpacks to 200 MiB."""
    text = b"key\0\0" + zlib.compress(bytes(200 * 2**20), 9)
    return png(16, 16, chunk(b"zTXt", text), rows=16)


def send(
    target: Target, data: bytes, kind: str = "PNG", **headers: str
) -> httpx.Response:
    return target.put("images/a.img", data, f"image/{kind.lower()}", **headers)


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "png header": ("PNG", lambda: png(HUGE, HUGE)),
    "png with its pixels": ("PNG", lambda: png(2**13, 2**13, rows=2**13)),
    "png one row": ("PNG", lambda: png(1, 2**31 - 1)),
    "webp canvas": ("WEBP", lambda: webp(2**14, 2**14)),
    "tiff": ("TIFF", lambda: tiff(HUGE, HUGE)),
    "tiff 4 GiB": ("TIFF", lambda: tiff(2**32 - 1, 2**32 - 1)),
    "bmp": ("BMP", lambda: bmp(HUGE, HUGE)),
    "jpeg": ("JPEG", lambda: jpeg(HUGE, HUGE)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(target: Target, name: str) -> None:
    kind, make = BOMBS[name]
    data = make()
    assert len(data) < 2**17
    target.refused(send(target, data, kind), 422, "invalid", "a.img")


ODD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no pixels": ("PNG", lambda: png(0, 16)),
    "wrong checksum": ("PNG", lambda: png(16, 16, rows=16).replace(b"IDAT", b"IDAU")),
    "directory that follows itself": ("TIFF", endless_tiff),
    "negative width": ("BMP", lambda: bmp(16, -16)),
    "text": ("PNG", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "postscript": ("PNG", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "zeros": ("PNG", lambda: bytes(4096)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_image(target: Target, name: str) -> None:
    kind, make = ODD[name]
    target.refused(send(target, make(), kind), 422, "invalid", "a.img")


def test_a_text_that_unpacks_to_200_mib_is_never_unpacked(target: Target) -> None:
    assert send(target, compressed_text()).status_code in (200, 201)


@pytest.mark.parametrize("kind", FORMATS)
def test_truncations(target: Target, kind: str) -> None:
    whole = picture(kind)
    assert send(target, whole, kind).status_code in (200, 201)
    for share in (0.02, 0.2, 0.5, 0.8, 0.95):
        cut = whole[: max(1, int(share * len(whole)))]
        target.refused(send(target, cut, kind), 422, "invalid", "a.img")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("said", FORMATS)
def test_wrong_content_types(target: Target, kind: str, said: str) -> None:
    data = picture(kind, height=40 + FORMATS.index(said))
    response = send(target, data, said)
    if said == kind:
        assert response.status_code in (200, 201)
    else:
        target.refused(response, 415, "media-type", f"image/{kind.lower()}", "send")


@pytest.mark.parametrize(
    "said", ["", "text/html", "application/json", "image/gif", "image/svg+xml", "*/*"]
)
def test_other_content_types(target: Target, said: str) -> None:
    response = target.put("images/a.img", picture(), said)
    target.refused(response, 415, "media-type", "image/png")


def test_what_is_stored_is_never_a_page(target: Target) -> None:
    page = picture("PNG") + b"<script>alert(1)</script>"
    assert send(target, page).status_code in (200, 201)
    path = f"/v1/scenes/{target.scratch_id}/images/a.img"
    response = target.call("GET", path, headers={"Accept": "text/html"})
    assert response.headers["content-type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.content == page


def test_digests(target: Target) -> None:
    data = picture()
    right = base64.b64encode(hashlib.sha256(data).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()

    def sent(header: str) -> httpx.Response:
        return send(target, data, **{"Content-Digest": header})

    assert sent(f"sha-256=:{right}:").status_code in (200, 201)
    target.refused(sent(f"sha-256=:{wrong}:"), 422, "digest-mismatch", "again")
    for header in ("sha-256=right", "sha-256=:AAAA:", "sha-256=:?:", ":", "x" * 9000):
        target.refused(sent(header), 400, "malformed", "content-digest", "base64")
