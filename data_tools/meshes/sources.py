"""Models on disk: single files, folders and archives, and what they refer to.

An archive (`.zip`, or Sweet Home 3D's `.sh3f`, which is one) is read in memory and
never unpacked. Nothing outside the folder or archive a model came in is ever read.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nvs.errors import DatasetError

MESH_SUFFIXES = (".obj", ".glb")
ARCHIVE_SUFFIXES = (".zip", ".sh3f")
MAX_FILE_BYTES = 1 << 29
MAX_MODEL_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class MeshSource:
    """Where one model is."""

    name: str
    """Unique among the models found together; also a valid folder name."""
    container: Path
    """The folder or archive that holds the model and all it refers to."""
    member: str
    """Path of the model inside the container, with forward slashes."""

    def __str__(self) -> str:
        return f"{self.container}/{self.member}"

    def read(self, reference: str | None = None) -> bytes:
        """Bytes of the model, or of a file it refers to (relative to the model).

        Of an absolute path, which belongs to the machine the model was made on, only
        the file name counts. A file that is not beside the model is also looked for in
        `../materials/textures`, where Google Scanned Objects keep theirs.

        Raises:
            DatasetError: If the file is missing, damaged, encrypted or larger than
                512 MiB, or if the reference points outside the container.
        """
        if reference is None:
            return _read(self.container, self.member)
        relative = reference.replace("\\", "/")
        if _is_absolute(relative):
            relative = posixpath.basename(relative)
        folder = posixpath.dirname(self.member)
        beside = posixpath.normpath(posixpath.join(folder, relative))
        if PurePosixPath(beside).parts[:1] == ("..",):
            raise DatasetError(
                f"{self} refers to {reference!r}, which is outside {self.container}",
                remedy="Give the folder that holds both, or correct the reference.",
            )
        elsewhere = posixpath.join(
            posixpath.dirname(folder), "materials/textures", posixpath.basename(beside)
        )
        for member in (beside, elsewhere):
            if _exists(self.container, member):
                return _read(self.container, member)
        raise DatasetError(
            f"{self} refers to {reference!r}, which does not exist",
            remedy="Put that file beside the model, or remove the line that names it.",
        )


def find_meshes(path: Path) -> list[MeshSource]:
    """All OBJ and GLB models at a path, in the order of their names.

    Args:
        path: A model, an archive of models, or a folder searched to any depth for both.

    Raises:
        DatasetError: If there is no model, or an archive is damaged or unsafe.
    """
    if not path.exists():
        raise DatasetError(
            f"{path} does not exist",
            remedy="Give a model, an archive of models or a folder.",
        )
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        found = [
            source for file in files for source in _sources(file, path, nested=True)
        ]
    else:
        found = _sources(path, path.parent, nested=False)
    if not found:
        kinds = ", ".join((*MESH_SUFFIXES, *ARCHIVE_SUFFIXES))
        raise DatasetError(
            f"{path} holds no model",
            remedy=f"Models are files of these kinds: {kinds}.",
        )
    return sorted(_uniquely_named(found), key=lambda source: source.name)


def _sources(file: Path, root: Path, *, nested: bool) -> list[MeshSource]:
    suffix = file.suffix.lower()
    parts = file.relative_to(root).with_suffix("").parts
    if suffix in MESH_SUFFIXES and not _hidden(file.name):
        member = file.relative_to(root).as_posix()
        return [MeshSource(name=_name(parts, root), container=root, member=member)]
    if suffix not in ARCHIVE_SUFFIXES:
        return []
    members = [
        PurePosixPath(member)
        for member in _members(file)
        if PurePosixPath(member).suffix.lower() in MESH_SUFFIXES
        and not any(_hidden(part) for part in PurePosixPath(member).parts)
    ]
    outer = parts if nested else ()
    return [
        MeshSource(
            name=_name((*outer, *member.with_suffix("").parts), file.with_suffix("")),
            container=file,
            member=str(member),
        )
        for member in members
    ]


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _name(parts: tuple[str, ...], fallback: Path) -> str:
    """`a/b/b` is called a-b; `a/meshes/model` (Google Scanned Objects) is called a."""
    if parts[-2:] == ("meshes", "model"):
        parts = parts[:-2] or (fallback.name,)
    if len(parts) > 1 and parts[-1] == parts[-2]:
        parts = parts[:-1]
    return re.sub(r"[^\w.-]", "_", "-".join(parts)).lstrip(".")


def _uniquely_named(sources: list[MeshSource]) -> list[MeshSource]:
    taken: set[str] = set()
    unique: list[MeshSource] = []
    for source in sources:
        name, count = source.name, 1
        while name in taken:
            count += 1
            name = f"{source.name}-{count}"
        taken.add(name)
        unique.append(replace(source, name=name))
    return unique


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or re.match(r"[A-Za-z]:", path) is not None


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(
            f"{archive} cannot be read as a zip archive ({error})",
            remedy="Download it again, or leave it out.",
        ) from error


def _members(archive: Path) -> list[str]:
    with _open(archive) as opened:
        members = [info.filename for info in opened.infolist() if not info.is_dir()]
    for member in members:
        path = member.replace("\\", "/")
        if _is_absolute(path) or ".." in PurePosixPath(path).parts:
            raise DatasetError(
                f"{archive} holds a file named {member!r}, which leads out of it",
                remedy="Do not trust this archive; pack the models again.",
            )
    return members


def _exists(container: Path, member: str) -> bool:
    if container.is_dir():
        return (container / member).is_file()
    with _open(container) as archive:
        return member in archive.NameToInfo


def _read(container: Path, member: str) -> bytes:
    place = f"{container}/{member}"
    try:
        if container.is_dir():
            _check_size(place, (container / member).stat().st_size)
            return (container / member).read_bytes()
        with _open(container) as archive:
            # zipfile never yields more than the declared size.
            _check_size(place, archive.getinfo(member).file_size)
            return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DatasetError(
            f"{place} is damaged or cannot be read ({error})",
            remedy="Download it again, or leave it out.",
        ) from error
    except (RuntimeError, NotImplementedError, KeyError) as error:
        raise DatasetError(
            f"{place} cannot be unpacked ({error})",
            remedy="Pack it as a plain zip archive, without a password.",
        ) from error


def _check_size(place: str, size_bytes: int) -> None:
    if size_bytes > MAX_FILE_BYTES:
        raise DatasetError(
            f"{place} is {size_bytes / 2**20:.0f} MiB when unpacked",
            remedy=f"At most {MAX_FILE_BYTES / 2**20:.0f} MiB a file are read; "
            "simplify the model.",
        )
