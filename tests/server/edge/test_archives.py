from __future__ import annotations

import io
import json
import random
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nvs.errors import DatasetError
from nvs.file_kinds import is_camera_name, is_image_name
from nvs.scene.datasets import read_dataset
from nvs_server.edge.archives import ArchiveLimits, UnpackedFile, unpack
from tests.fakes.api import picture
from tests.test_zip_names import DECLARES_UTF8, entry, packed, unicode_path

LIMITS = ArchiveLimits(max_files=20, max_bytes=6 * 2**20, max_file_bytes=4 * 2**20)


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def unpacked(
    tmp_path: Path, content: bytes, keep: Callable[[str], bool] = lambda _: True
) -> list[UnpackedFile]:
    archive, folder = tmp_path / "a.zip", tmp_path / "out"
    folder.mkdir(parents=True)
    archive.write_bytes(content)
    return unpack(archive, folder, LIMITS, keep=keep)


def special(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def patched(content: bytes, find: bytes, replace: bytes) -> bytes:
    assert find in content
    return content.replace(find, replace)


def central_field(content: bytes, offset: int, value: bytes) -> bytes:
    start = content.rindex(b"PK\x01\x02") + offset
    return content[:start] + value + content[start + len(value) :]


def with_local_field(content: bytes, offset: int, value: bytes) -> bytes:
    return content[:offset] + value + content[offset + len(value) :]


def overlapping() -> bytes:
    """Two entries of the list share one compressed kernel."""
    content = zipped(("a.json", b"x" * 1000), ("b.json", b"x" * 1000))
    return central_field(content, 42, struct.pack("<I", 0))


def encrypted() -> bytes:
    content = central_field(zipped(("a.json", b"secret")), 8, struct.pack("<H", 1))
    return with_local_field(content, 6, struct.pack("<H", 1))


def smaller_than_it_is() -> bytes:
    """Says 10 bytes, unpacks to 1000."""
    content = zipped(("a.json", b"x" * 1000))
    content = central_field(content, 24, struct.pack("<I", 10))
    return with_local_field(content, 22, struct.pack("<I", 10))


def larger_than_it_is() -> bytes:
    return central_field(zipped(("a.json", b"x" * 1000)), 24, struct.pack("<I", 2000))


def endless_directory() -> bytes:
    """The list of entries claims most of a large file."""
    content = zipped(("a.json", b"{}"))
    padded = b"\0" * (9 * 2**20) + content
    return padded[:-10] + struct.pack("<IIH", 9 * 2**20, 0, 0)


ATTACKS = {
    "slip": (zipped(("../a.json", b"{}")), "has a part that is empty, `.` or `..`"),
    "slip inside": (zipped(("a/../../b", b"{}")), "a part that is empty, `.` or `..`"),
    "absolute": (zipped(("/etc/passwd", b"{}")), "is an absolute path"),
    "drive": (zipped(("C:/a.json", b"{}")), "begins with a drive letter"),
    "backslash": (zipped(("..\\a.json", b"{}")), "is empty, `.` or `..`"),
    "control": (zipped(("a\nb.json", b"{}")), "holds control characters"),
    "nul": (
        patched(zipped(("a.json_png", b"{}")), b"a.json_png", b"a.json\0png"),
        "holds control characters",
    ),
    "empty part": (zipped(("a//b.json", b"{}")), "has a part that is empty"),
    "long name": (
        zipped(("a" * 256, b"{}")),
        "a part of 256 bytes, over the limit of 255",
    ),
    "symlink": (
        zipped((special("a.json", stat.S_IFLNK | 0o777), b"/etc/passwd")),
        "is a link or a special file",
    ),
    "device": (
        zipped((special("a.json", stat.S_IFCHR | 0o666), b"")),
        "is a link or a special file",
    ),
    "encrypted": (encrypted(), "is encrypted"),
    "overlap": (overlapping(), "overlaps"),
    "bomb": (zipped(("a.png", bytes(3 * 2**20))), "more than 200 times"),
    "large file": (
        zipped(("a.bmp", random.Random(0).randbytes(2**20) * 5)),
        "has 5242880 bytes, over the limit of 4194304",
    ),
    "large in all": (
        zipped(*((f"{i}.bmp", random.Random(i).randbytes(2**21)) for i in range(4))),
        "holds 8388608 bytes unpacked, over the limit of 6291456",
    ),
    "many": (
        zipped(*((f"{i}.json", b"{}") for i in range(21))),
        "has 21 files, over the limit of 20",
    ),
    "file and folder": (
        zipped(("x/a", b"1"), ("x/a/b", b"2")),
        "'x/a' as a file and as a folder",
    ),
    "says less": (smaller_than_it_is(), "the zip file is damaged"),
    "says more": (larger_than_it_is(), "does not have the 2000 bytes"),
    "endless directory": (endless_directory(), "the zip file's list of entries is"),
    "truncated": (zipped(("a.json", b"x" * 1000))[:-30], "the zip file is damaged"),
    "other method": (
        central_field(zipped(("a.json", b"x")), 10, struct.pack("<H", 14)),
        "is packed by method 14",
    ),
    "no zip": (b"GIF89a", "the zip file is damaged (File is not a zip file)"),
    "empty": (b"", "the zip file is damaged (File is not a zip file)"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_refuses(tmp_path: Path, name: str) -> None:
    content, message = ATTACKS[name]
    before = set(tmp_path.parent.iterdir())

    with pytest.raises(DatasetError) as caught:
        unpacked(tmp_path, content)

    assert message in str(caught.value)
    assert caught.value.remedy
    assert set(tmp_path.parent.iterdir()) == before
    assert not (tmp_path / "a.json").exists()


def test_refuses_a_repeated_name(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped(("a.json", b"1"), ("a.json", b"2"))

    with pytest.raises(DatasetError, match=r"has 'a\.json' more than once"):
        unpacked(tmp_path, content)


def test_unpacks_without_the_folder_around(tmp_path: Path) -> None:
    found = unpacked(
        tmp_path, zipped(("chair/b.json", b"{}"), ("chair/images/a.png", b"abc"))
    )

    assert [file.path for file in found] == ["b.json", "images/a.png"]
    assert [file.num_bytes for file in found] == [2, 3]
    assert (tmp_path / "out/images/a.png").read_bytes() == b"abc"
    assert found[1].sha256 == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_keeps_folders_with_a_meaning(tmp_path: Path) -> None:
    found = unpacked(tmp_path, zipped(("sparse/0/cameras.bin", b"1")))

    assert [file.path for file in found] == ["sparse/0/cameras.bin"]


def test_leaves_out_what_is_not_wanted(tmp_path: Path) -> None:
    content = zipped(("a.json", b"{}"), ("huge.ply", bytes(30 * 2**20)))

    found = unpacked(tmp_path, content, lambda path: path.endswith(".json"))

    assert [file.path for file in found] == ["a.json"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.json"]


CAMERAS = json.dumps(
    [
        {
            "file_path": f"images/{name}",
            "w2c": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, index], [0, 0, 0, 1]],
            **{"w": 8, "h": 8, "fx": 8, "fy": 8, "cx": 4, "cy": 4},
        }
        for index, name in enumerate(["Türe 1.png", "Türe 2.png"])
    ]
).encode()


def capture(encoded: Callable[[str], zipfile.ZipInfo]) -> dict[zipfile.ZipInfo, bytes]:
    """A capture in a folder with an umlaut, as a program writes its names."""
    return {
        encoded("Küche/opencv_cameras.json"): CAMERAS,
        encoded("Küche/images/Türe 1.png"): picture(1),
        encoded("Küche/images/Türe 2.png"): picture(2),
    }


def explorer() -> bytes:
    """The code page of the machine, and Windows' own litter."""
    files = capture(lambda name: entry(name.encode("cp850")))
    return packed({**files, entry(b"Thumbs.db"): b"x", entry(b"desktop.ini"): b"x"})


def dot_net() -> bytes:
    r"""`\` between folders, which have entries of their own."""
    files = capture(lambda name: entry(name.replace("/", "\\").encode("cp850")))
    return packed({entry("Küche\\images\\".encode("cp850")): b"", **files})


def macos() -> bytes:
    """Decomposed and undeclared UTF-8, and a twin of each file, whatever it holds."""
    files = capture(lambda name: entry(unicodedata.normalize("NFD", name).encode()))
    twins = {
        special("__MACOSX/Küche/._link.png", stat.S_IFLNK | 0o777): b"/etc/passwd",
        zipfile.ZipInfo("__MACOSX/../._a.json"): b"{}",
        **{zipfile.ZipInfo(f"__MACOSX/Küche/._{n}.png"): b"x" for n in range(30)},
    }
    return packed({**files, zipfile.ZipInfo("Küche/.DS_Store"): b"x", **twins})


def info_zip() -> bytes:
    def encoded(name: str) -> zipfile.ZipInfo:
        raw = name.encode("ascii", "replace").replace(b"?", b"_")
        return entry(raw, extra=unicode_path(name, raw))

    return packed(capture(encoded))


def zip64() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, data in capture(zipfile.ZipInfo).items():
            with archive.open(info, "w", force_zip64=True) as file:
                file.write(data)
    return buffer.getvalue()


class Pipe(io.BytesIO):
    """Cannot be wound back: sizes follow the data that they are of."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation


def streamed() -> bytes:
    buffer = Pipe()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in capture(zipfile.ZipInfo).items():
            archive.writestr(info, data)
    return buffer.getvalue()


def self_extracting() -> bytes:
    return b"MZ" + bytes(5000) + explorer()


PROGRAMS = (explorer, dot_net, macos, info_zip, zip64, streamed, self_extracting)


@pytest.mark.parametrize("program", PROGRAMS)
def test_zips_of_every_program_are_datasets(
    tmp_path: Path, program: Callable[[], bytes]
) -> None:
    def keep(name: str) -> bool:
        return is_image_name(name) or is_camera_name(name)

    found = unpacked(tmp_path, program(), keep)

    assert len(found) == 3
    dataset = read_dataset(tmp_path / "out")
    assert [frame.name for frame in dataset.frames] == [
        "images/Türe 1.png",
        "images/Türe 2.png",
    ]
    assert not dataset.missing


def test_a_long_name_in_a_code_page_is_measured_as_it_stands(tmp_path: Path) -> None:
    """200 letters are 400 bytes in the archive, 600 in UTF-8, and overlap nothing."""
    long = "写" * 70 + ".png"
    nested = "/".join(["部屋" * 20] * 4) + "/写.png"
    files = [entry(name.encode("cp932")) for name in (long, nested)]
    found = unpacked(tmp_path, packed(dict.fromkeys(files, b"x")))
    assert sorted(file.path for file in found) == sorted([long, nested])

    too_long = packed({entry(("写" * 200 + ".png").encode("cp932")): b"x"})
    with pytest.raises(DatasetError, match="a part of 604 bytes, over the limit"):
        unpacked(tmp_path / "second", too_long)


def test_two_names_that_become_one_are_refused(tmp_path: Path) -> None:
    raw = b"K_che.png"
    content = packed(
        {
            entry("Küche.png".encode(), flags=DECLARES_UTF8): b"1",
            entry(raw, extra=unicode_path("Küche.png", raw)): b"2",
        }
    )

    with pytest.raises(DatasetError, match=r"has 'Küche\.png' more than once"):
        unpacked(tmp_path, content)


def test_damage_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    """Whatever bytes are altered: a clear error, or the same files."""
    content = zipped(("x/a.json", b"{}" * 50), ("x/b.png", b"12345" * 20))
    generator = random.Random(1)
    num_refused = 0
    for trial in range(400):
        damaged = bytearray(content)
        for _ in range(generator.randint(1, 4)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        place = tmp_path / str(trial)
        place.mkdir()
        try:
            found = unpacked(place, bytes(damaged))
        except DatasetError:
            num_refused += 1
        else:
            for file in found:
                path = (place / "out" / file.path).resolve()
                assert path.is_relative_to((place / "out").resolve())
                assert path.stat().st_size == file.num_bytes
    assert num_refused > 200
