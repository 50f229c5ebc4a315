"""Models on disk: single files, folders and archives, and what they refer to.

An archive (`.zip`, or Sweet Home 3D's `.sh3f`, which is one) is read in memory and
never unpacked. Nothing outside the folder or archive a model came in is ever read.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from nvs.errors import DatasetError
from nvs.file_kinds import is_litter
from nvs_data import containers

MESH_SUFFIXES = (".obj", ".glb")
ARCHIVE_SUFFIXES = (".zip", ".sh3f")
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
            return containers.read(self.container, self.member)
        relative = reference.replace("\\", "/")
        if containers.is_absolute(relative):
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
            if containers.exists(self.container, member):
                return containers.read(self.container, member)
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
    if suffix in MESH_SUFFIXES and not is_litter(file.name):
        member = file.relative_to(root).as_posix()
        return [MeshSource(name=_name(parts, root), container=root, member=member)]
    if suffix not in ARCHIVE_SUFFIXES:
        return []
    members = [
        PurePosixPath(member)
        for member in containers.members(file)
        if PurePosixPath(member).suffix.lower() in MESH_SUFFIXES
        and not is_litter(member)
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
