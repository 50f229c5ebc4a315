from __future__ import annotations

import io
import json
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nvs.zip_names import zip_entries

DECLARES_UTF8 = 0x800


class RawName(zipfile.ZipInfo):
    """An entry whose name is written as these bytes."""

    raw: bytes
    flags = 0

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's
        return self.raw, self.flag_bits | self.flags


def entry(raw: bytes, *, flags: int = 0, extra: bytes = b"") -> RawName:
    info = RawName(raw.hex())
    info.raw, info.flags, info.extra = raw, flags, extra
    return info


def packed(files: Mapping[zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info, data in files.items():
            archive.writestr(info, data)
    return buffer.getvalue()


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = zip_entries(archive)
        for found in entries:  # zipfile still finds the data
            archive.read(found.info)
    return [found.name for found in entries]


def decoded(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def unicode_path(name: str, raw: bytes) -> bytes:
    """Info-ZIP's extra field for the entry of a raw name."""
    field = struct.pack("<BI", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(field)) + field


PATHS = {
    "cp437": ["Küche/images/0000.png", "été/IMG_1.jpg"],
    "cp850": ["Größe/Øre.png", "cozinha não/1.png"],
    "cp1252": ["Küche/images/0000.png", "été/1.jpg", "cozinha não/1.png"],
    "cp932": ["部屋/画像0001.jpg", "写真ソフト表.png", "キッチン/images/0000.png"],
    "gbk": ["照片/图像001.jpg", "厨房/1.png", "新建文件夹/001.png"],
    "big5": ["相片/001.jpg"],
    "cp866": ["Кухня/images/0001.png", "Фото/1.png", "Новая папка/IMG_001.jpg"],
    "cp1251": ["Кухня/images/0001.png", "Фото/1.png", "Новая папка/IMG_001.jpg"],
    "cp852": ["Łódź/1.png", "kuchyně/příklad.png"],
    "cp737": ["Κουζίνα/1.png"],
}


@pytest.mark.parametrize("code_page", PATHS)
def test_a_code_page_is_read_from_names_alone(code_page: str) -> None:
    for path in PATHS[code_page]:
        assert names(packed({entry(path.encode(code_page)): b""})) == [path]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(["cp949", "cp1250", "cp1253", "cp1254", "cp857", "cp932", "gbk"]),
    st.data(),
    st.booleans(),
)
def test_camera_files_decide_about_the_code_page(
    code_page: str, data: st.DataObject, ascii_only: bool
) -> None:
    """Even where the names alone read better in another."""
    letters = st.characters(codec=code_page, min_codepoint=0xA1, categories=["L"])
    stems = data.draw(st.lists(st.text(letters, min_size=3, max_size=9), min_size=1))
    paths = [f"images/{stem}{index}.png" for index, stem in enumerate(stems)]
    assume(any(decoded(path.encode(code_page)) is None for path in paths))
    frames = [{"file_path": path} for path in paths]
    cameras = json.dumps(frames, ensure_ascii=ascii_only).encode()

    found = names(
        packed(
            {entry(path.encode(code_page)): b"" for path in paths}
            | {entry(b"transforms.json"): cameras}
        )
    )

    assert found == [*paths, "transforms.json"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("flags", [0, DECLARES_UTF8])
def test_utf8_is_read_whether_it_is_declared_or_not(form: str, flags: int) -> None:
    path = unicodedata.normalize(form, "Küche/が 1.png")

    assert names(packed({entry(path.encode(), flags=flags): b""})) == [path]


def test_a_unicode_path_goes_before_the_code_page() -> None:
    raw = b"K?che/1.png"
    extra = b"\x55\x54\x05\x00\x03abcd" + unicode_path("Küche/1.png", raw)

    assert names(packed({entry(raw, extra=extra): b""})) == ["Küche/1.png"]


def test_a_unicode_path_of_another_name_is_not_used() -> None:
    """Programs that do not know the field rename an entry and leave it."""
    extra = unicode_path("old.png", b"old.png")

    assert names(packed({entry(b"new.png", extra=extra): b""})) == ["new.png"]


def test_backslashes_separate_folders_but_not_halves_of_letters() -> None:
    raw = "images\\ソ表.png".encode("cp932")
    assert raw.count(b"\\") == 3

    assert names(packed({entry(raw): b""})) == ["images/ソ表.png"]


def test_lengths_are_those_in_the_archive() -> None:
    raw = ("写" * 200 + ".png").encode("cp932")

    with zipfile.ZipFile(io.BytesIO(packed({entry(raw): b""}))) as archive:
        (found,) = zip_entries(archive)

    assert found.num_name_bytes == len(raw) == 404


def test_camera_files_that_cannot_be_read_decide_nothing() -> None:
    raw = "Кухня.png".encode("cp866")
    content = packed({entry(raw): b"", entry(b"a.json"): b"{}"})
    encrypted = content.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    assert encrypted != content

    with zipfile.ZipFile(io.BytesIO(encrypted)) as archive:
        assert zip_entries(archive)[0].name == "Кухня.png"
