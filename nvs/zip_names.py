r"""Names of the files in a zip archive, whatever program packed it.

The format knows two encodings: UTF-8, which an entry declares, and cp437. Programs
write others: UTF-8 that nobody declares (macOS), the code page of the machine (Windows
Explorer, 7-Zip), a second name in an extra field (Info-ZIP), `\` between folders
(.NET). A code page leaves no trace but its bytes, so it is guessed, one for the whole
archive: the one whose names the archive's own camera files mention; where none is
mentioned, the one that reads most like names, the format's own in doubt.
"""

from __future__ import annotations

import json
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from nvs.file_kinds import is_camera_name

CODE_PAGES = (
    *("cp437", "cp850", "cp1252", "cp932", "gbk", "cp866", "cp1251"),
    *("big5", "cp949", "cp852", "cp1250", "cp737", "cp1253", "cp857", "cp1254"),
)
"""Of Windows in the languages of most people; the earlier in doubt."""
MOST_MENTIONS_BYTES = 2**23
"""Of camera files that are looked through for names."""

_DECLARES_UTF8 = 0x800
_UNICODE_PATH = 0x7075
_COMMON_LEAD_BYTES = {
    "cp932": range(0x88, 0x98),
    "gbk": range(0xB0, 0xD8),
    "big5": range(0xA4, 0xC7),
    "cp949": range(0xB0, 0xC9),
}
"""First bytes of the ideographs and syllables that nearly all names consist of."""
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError)


@dataclass(frozen=True, kw_only=True, slots=True)
class ZipEntry:
    """An entry of an archive, under the name that its author gave it."""

    info: zipfile.ZipInfo
    name: str
    """Folders and file with forward slashes; nothing about it has been checked."""
    num_name_bytes: int
    """Length of the name as it stands in the archive."""

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder."""
        return self.name.endswith("/")


def zip_entries(zipped: zipfile.ZipFile) -> list[ZipEntry]:
    """All entries of an archive, folders and litter among them, in its order."""
    raw = {info: _raw_name(info) for info in zipped.infolist()}
    names = {info: _declared_name(info, name) for info, name in raw.items()}
    bare = [raw[info] for info, name in names.items() if name is None]
    encoding = _encoding(bare, zipped)
    return [
        ZipEntry(
            info=info,
            name=(raw[info].decode(encoding) if name is None else name).replace(
                "\\", "/"
            ),
            num_name_bytes=len(raw[info]),
        )
        for info, name in names.items()
    ]


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    """What `zipfile` decoded, which it does without loss."""
    declares_utf8 = info.flag_bits & _DECLARES_UTF8
    return info.orig_filename.encode("utf-8" if declares_utf8 else "cp437")


def _declared_name(info: zipfile.ZipInfo, raw: bytes) -> str | None:
    """The name whose encoding the entry itself says; None if it does not."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and field[:5] == b"\1" + _crc(raw):
            try:
                return field[5:].decode()
            except UnicodeDecodeError:
                continue
    return info.orig_filename if info.flag_bits & _DECLARES_UTF8 else None


def _crc(raw: bytes) -> bytes:
    """Of the name that an extra field belongs to: a renamed entry has an old one."""
    return struct.pack("<I", zlib.crc32(raw))


def _encoding(names: Sequence[bytes], zipped: zipfile.ZipFile) -> str:
    """Of all names that do not say theirs."""
    if all(_decodes(name, "utf-8") for name in names):
        return "utf-8"
    odd = [name for name in names if not name.isascii()]
    mentions = _mentions(zipped)

    def merit(encoding: str) -> tuple[int, int]:
        texts = [name.decode(encoding) for name in odd]
        mentioned = sum(_is_mentioned(text, mentions) for text in texts)
        return mentioned, -sum(_oddities(text, encoding) for text in texts)

    possible = [page for page in CODE_PAGES if all(_decodes(n, page) for n in odd)]
    return max(possible, key=merit)


def _decodes(name: bytes, encoding: str) -> bool:
    try:
        name.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _mentions(zipped: zipfile.ZipFile) -> bytes:
    """What the archive's camera files hold, as far as they can be read."""
    found = b""
    for info in zipped.infolist():
        if not is_camera_name(info.filename):
            continue
        try:
            with zipped.open(info) as file:
                found += file.read(MOST_MENTIONS_BYTES - len(found))
        except (*_UNREADABLE, RuntimeError, NotImplementedError):
            continue
    return found


def _is_mentioned(name: str, mentions: bytes) -> bool:
    last = name.replace("\\", "/").rpartition("/")[2]
    escaped = json.dumps(last)[1:-1]
    return not last.isascii() and (
        last.encode() in mentions or escaped.encode() in mentions
    )


def _oddities(name: str, encoding: str) -> int:
    """How much of a name is not as people write: symbols, rare signs, mixed scripts."""
    kinds = [_kind(character, encoding) for character in name]
    rare = kinds.count("ODD")
    return rare + sum(
        _is_odd_pair(name[i : i + 2], (kinds[i], kinds[i + 1]))
        for i in range(len(name) - 1)
    )


def _is_odd_pair(pair: str, kinds: tuple[str, str]) -> bool:
    """Two scripts, two accented letters, or a capital after a small letter."""
    if "" in kinds or pair.isascii():
        return False
    if {*kinds} == {"LATIN", "ACCENTED"} or kinds[0] == kinds[1] != "ACCENTED":
        return pair[0].islower() and pair[1].isupper()
    return True


def _kind(character: str, encoding: str) -> str:
    """The script of a letter; ODD if names have no such sign, else nothing."""
    if character == "\\":  # the second half of a letter, in the right code page
        return "ODD"
    if character.isascii():
        return "LATIN" if character.isalpha() else ""
    if "\u3000" <= character <= "\u303f" or character in "・ー–—（）":
        return ""
    script = unicodedata.name(character, "").split(" ")[0]
    if not character.isalpha() or script in ("HALFWIDTH", "FULLWIDTH"):
        return "ODD"
    if script not in _EAST_ASIAN:
        return "ACCENTED" if script == "LATIN" else script
    common = _COMMON_LEAD_BYTES.get(encoding, range(0))
    is_kana = script in ("HIRAGANA", "KATAKANA")
    is_usual = is_kana or character.encode(encoding)[0] in common
    return "EAST ASIAN" if is_usual else "ODD"
