"""Zip files that are bombs, lead outside, lie, or are damaged."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from string import ascii_letters

import pytest

from tests.server.hostile.target import Target, small_dataset
from tests.server.hostile.test_pictures import BOMBS, picture

CAMERA = {
    "file_path": "a.png",
    "w2c": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2.5], [0, 0, 0, 1]],
    **{"w": 64, "h": 48, "fx": 60, "fy": 60, "cx": 32, "cy": 24},
}
CAMERAS = json.dumps([CAMERA]).encode()
Files = Mapping[str | zipfile.ZipInfo, bytes] | list[tuple[str, bytes]]


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file; pairs may repeat a name."""
    buffer = io.BytesIO()
    pairs = files if isinstance(files, list) else files.items()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in pairs:
            archive.writestr(name, data)
    return buffer.getvalue()


def dataset(**more: bytes) -> dict[str | zipfile.ZipInfo, bytes]:
    return {"a.png": picture(), "opencv_cameras.json": CAMERAS, **more}


def with_entry(name: str, data: bytes = b"{}") -> bytes:
    return zipped(dataset() | {name: data})


def renamed(name: bytes) -> bytes:
    """An entry whose name zipfile would not write, of eight bytes."""
    assert len(name) == 8
    return with_entry("XXXXXXXX").replace(b"XXXXXXXX", name)


def special(mode: int, target: bytes = b"/etc/passwd") -> bytes:
    info = zipfile.ZipInfo("link.json")
    info.external_attr = mode << 16
    return zipped(dataset() | {info: target})


def listed(content: bytes, offset: int, value: bytes) -> bytes:
    """With a field of the last entry of the list changed."""
    start = content.rindex(b"PK\x01\x02") + offset
    return content[:start] + value + content[start + len(value) :]


def both(content: bytes, local: int, central: int, value: bytes) -> bytes:
    """With a field of the last entry changed, in the list and before its data."""
    start = content.rindex(b"PK\x03\x04") + local
    content = content[:start] + value + content[start + len(value) :]
    return listed(content, central, value)


def overlapping() -> bytes:
    """A kernel that every entry of the list claims as its own."""
    kernel = zipped({"0.json": bytes(2**20)})
    local = kernel[: kernel.index(b"PK\x01\x02")]
    entry = kernel[len(local) : kernel.rindex(b"PK\x05\x06")]
    names = [f"{letter}.json".encode() for letter in ascii_letters]
    entries = b"".join(entry.replace(b"0.json", name) for name in names)
    count = len(names)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(entries), 0, 0)
    end = end[:16] + struct.pack("<I", len(local)) + end[20:]
    return local + entries + end


def ratio() -> bytes:
    return zipped(dataset(**{"b.json": bytes(2 * 2**20 - 1)}))


def smaller_than_it_is() -> bytes:
    content = zipped(dataset(**{"b.json": bytes(2**20)}))
    return both(content, 22, 24, struct.pack("<I", 10))


def larger_than_it_is() -> bytes:
    content = zipped(dataset(**{"b.json": b"{}" * 500}))
    return both(content, 22, 24, struct.pack("<I", 2000))


def encrypted() -> bytes:
    return both(with_entry("b.json"), 6, 8, struct.pack("<H", 1))


def endless_list() -> bytes:
    """The list of entries claims 4 GiB."""
    content = with_entry("b.json")
    end = content.rindex(b"PK\x05\x06")
    return content[: end + 12] + struct.pack("<II", 2**32 - 2, 0) + content[end + 20 :]


def nested() -> bytes:
    return zipped({"outer.zip": zipped({"inner.zip": zipped(dataset())})})


IMAGES = (
    *("image bomb", "large entry", "images alone", "method", "cameras alone"),
    *("nested", "empty"),
)
"""Hostile in their images, which an archive of camera files may hold unread."""


def twice() -> bytes:
    content = zipped(dataset(**{"b.json": b"{}", "c.json": b"{}"}))
    return content.replace(b"c.json", b"b.json")


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "ratio": (ratio, "times"),
    "overlap": (overlapping, "overlaps"),
    "smaller than it is": (smaller_than_it_is, "zip file is damaged"),
    "larger than it is": (larger_than_it_is, "does not have the 2000 bytes"),
    "encrypted": (encrypted, "encrypted"),
    "method": (lambda: zipped(dataset(), zipfile.ZIP_LZMA), "deflate"),
    "list": (endless_list, "zip file"),
    "link": (lambda: special(stat.S_IFLNK | 0o777), "link"),
    "device": (lambda: special(stat.S_IFCHR | 0o666), "special file"),
    "pipe": (lambda: special(stat.S_IFIFO | 0o666), "special file"),
    "up": (lambda: with_entry("../evil.json"), "`..`"),
    "up within": (lambda: with_entry("images/../../evil.json"), "`..`"),
    "absolute": (lambda: with_entry("/etc/evil.json"), "absolute"),
    "drive": (lambda: with_entry("C:/evil.json"), "drive letter"),
    "up by backslash": (lambda: renamed(b"..\\b.txt"), "`..`"),
    "drive and backslash": (lambda: renamed(b"c:\\b.txt"), "drive letter"),
    "nul": (lambda: renamed(b"a\0b.json"), "control characters"),
    "escape": (lambda: renamed(b"a\x1bb.json"), "control characters"),
    "long name": (lambda: with_entry("a" * 300 + ".json"), "over the limit of 255"),
    "folder and file": (
        lambda: zipped(dataset() | {"a.json": b"{}", "a.json/b.json": b"{}"}),
        "as a file and as a folder",
    ),
    "twice": (twice, "more than once"),
    "entries": (
        lambda: zipped({f"{n}.json": b"" for n in range(4000)}),
        "over the limit",
    ),
    "nested": (nested, "no images"),
    "empty": (lambda: zipped({}), "no images"),
    "cameras alone": (lambda: zipped({"opencv_cameras.json": CAMERAS}), "no images"),
    "images alone": (lambda: zipped({"a.png": picture()}), "layout"),
    "text": (lambda: b"not a zip file" * 100, "zip file"),
    "tail": (lambda: zipped(dataset())[:-30], "zip file"),
    "image bomb": (
        lambda: zipped(dataset(**{"b.png": BOMBS["png header"][1]()})),
        "b.png",
    ),
    "large entry": (
        lambda: zipped(dataset(**{"b.png": bytes(3 * 2**20)}), zipfile.ZIP_STORED),
        "over the limit",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_datasets(target: Target, name: str) -> None:
    make, words = HOSTILE[name]
    response = target.put("dataset", make(), "application/zip")
    target.refused(response, 422, "invalid", words)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in IMAGES])
def test_camera_archives(target: Target, name: str) -> None:
    make, words = HOSTILE[name]
    response = target.put("cameras", make(), "application/zip")
    target.refused(response, 422, "invalid", words)


def test_truncations(target: Target) -> None:
    whole = small_dataset(2)
    for share in (0.001, 0.3, 0.7, 0.99, 0.9999):
        cut = whole[: int(share * len(whole))]
        response = target.put("dataset", cut, "application/zip")
        target.refused(response, 422, "invalid", "zip file")


def test_altered_data(target: Target) -> None:
    """Bytes changed on the disk of whoever made it: the checksum says so."""
    whole = bytearray(zipped(dataset(), zipfile.ZIP_STORED))
    where = whole.index(b"IDAT") + 40
    whole[where] ^= 0xFF
    response = target.put("dataset", bytes(whole), "application/zip")
    target.refused(response, 422, "invalid", "damaged")


def test_nothing_is_left_behind(target: Target) -> None:
    """After a refused upload the scene is as it was, and no file lies about."""
    path = f"/v1/scenes/{target.scratch_id}/images"
    assert (
        target.put("dataset", zipped(dataset()), "application/zip").status_code == 200
    )
    before = target.call("GET", path).json()
    incoming = target.served.data_folder / "blobs" / "incoming"
    for make, _ in (HOSTILE["up"], HOSTILE["image bomb"], HOSTILE["ratio"]):
        target.put("dataset", make(), "application/zip")
    assert target.call("GET", path).json() == before
    assert [one.name for one in incoming.iterdir()] == []
    assert not list(target.served.data_folder.parent.rglob("evil.json"))
