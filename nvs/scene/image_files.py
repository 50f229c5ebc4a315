r"""The image files of a dataset, found by the names that its cameras give them.

A file is meant by more names than its own: by one written on another system (`\`, the
case of letters, the Unicode form of `é`), with `.jpeg` for `.jpg`, with percent-escapes
such as `%20`, or without suffix. What no name means is counted, so that nothing which
lies there goes unnoticed.
"""

from __future__ import annotations

import difflib
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from nvs.errors import DatasetError, reason
from nvs.file_kinds import (
    IMAGE_SUFFIXES,
    MASK_FOLDERS,
    is_image_name,
    is_litter,
)
from nvs.scene.dataset_files import inside
from nvs.scene.frames import Dataset, Frame
from nvs.scene.masks import MASK_LIKE, mask_stems

MOST_LISTED = 100_000
"""Files that are looked through for those that nobody names."""
_ELSEWHERE = re.compile(r"[/\\]|[A-Za-z]:")
_SAME_SUFFIXES = ((".jpeg", ".jpg"), (".tiff", ".tif"))


class ImageFiles:
    """Finds the images and masks of one dataset, and remembers what was found.

    Args:
        folder: What names of images are relative to.
        dataset: The folder that holds all of the dataset, where that is another.
    """

    def __init__(self, folder: Path, *, dataset: Path | None = None) -> None:
        self._folder = folder.resolve()
        self._dataset = (dataset or folder).resolve()
        self._listings: dict[Path, dict[str, list[str]]] = {}
        self._named: dict[Path, str] = {}
        self._masks: dict[Path, Path] = {}
        self._missing: list[str] = []

    def find(self, name: str, *, within: Sequence[str] = ("",)) -> Path | None:
        """The image of a name, which counts as missing if there is none.

        A path of another place (absolute, or leading out of the folder) is never
        followed; it means the file that its end names, if there is one.

        Args:
            name: As the dataset has it.
            within: Folders to look in, in turn, relative to that of the names.

        Returns:
            Its path inside the folder, links resolved; None if there is no such file.

        Raises:
            DatasetError: If the name leads outside the folder, or means a file that
                another name means already.
        """
        for place in within:
            found = self._meant(f"{place}/{name}" if place else name)
            if found is not None:
                return self._taken(found, name)
        self._missing.append(name)
        return None

    def mask(self, image: Path, listed: str | None = None) -> Path | None:
        """The mask of an image that was found, if it has one.

        Args:
            image: The image.
            listed: The mask's own name, where the dataset gives one.

        Raises:
            DatasetError: If a mask that is listed is not there.
        """
        found = self._mask_of(image) if listed is None else self._meant(listed)
        if found is None and listed is not None:
            raise DatasetError(
                f"the mask {listed!r} of {self._shown(image)} is not there",
                remedy="Restore it, or take its name out."
                + self._hint(self._nearest(listed)),
            )
        if found is not None:
            self._masks[image] = found
        return found

    def dataset(
        self,
        frames: Sequence[Frame],
        *,
        notes: Sequence[str] = (),
        world_up: tuple[float, float, float] | None = None,
        has_opengl_axes: bool = False,
    ) -> Dataset:
        """Frames with what is missing, and what is there and not used."""
        return Dataset(
            frames=tuple(frames),
            missing=tuple(self._missing),
            hint=self._hint(self._nearest(self._missing[0])) if self._missing else "",
            notes=(*notes, *self._leftovers()),
            world_up=world_up,
            has_opengl_axes=has_opengl_axes,
        )

    def _taken(self, image: Path, name: str) -> Path:
        earlier = self._named.setdefault(image, name)
        if _canonical(earlier) != _canonical(name):
            raise DatasetError(
                f"{earlier!r} and {name!r} both mean {self._shown(image)}",
                remedy="Give each of them a file of exactly its name.",
            )
        return image

    def _meant(self, name: str) -> Path | None:
        """The file that a name means, as it stands or with its percent-escapes."""
        found = self._meant_literally(name)
        if found is None and unquote(name) != name:
            found = self._meant_literally(unquote(name))
        return found

    def _meant_literally(self, name: str) -> Path | None:
        """The file of exactly a name, else the one file that it can mean."""
        try:
            for suffix in _completions(name, IMAGE_SUFFIXES[:3]):
                path = inside(self._folder, name + suffix)
                if _is_file(path, name):
                    return path
        except DatasetError:
            found = self._tail(name)
            if found is None:
                raise
            return found
        if _ELSEWHERE.match(name):
            return self._tail(name)
        return self._alike(self._folder, _parts(name))

    def _tail(self, name: str) -> Path | None:
        """The file that the longest end of a path from another place names."""
        parts = _parts(name)
        tails = (parts[start:] for start in range(1, len(parts)))
        found = (self._alike(self._folder, tail) for tail in tails)
        return next((path for path in found if path is not None), None)

    def _alike(self, folder: Path, parts: Sequence[str]) -> Path | None:
        """The one file whose path differs in how it is written, not in what it says."""
        *folders, last = parts or ("",)
        for part in folders:
            child = self._child(folder, part)
            if child is None or not child.is_dir():
                return None
            folder = child
        for suffix in _completions(last, IMAGE_SUFFIXES):
            path = self._child(folder, last + suffix)
            if path is not None and path.is_file():
                return inside(self._folder, os.path.relpath(path, self._folder))
        return None

    def _child(self, folder: Path, name: str) -> Path | None:
        names = self._listing(folder).get(_key(name), [])
        if name in names:
            return folder / name
        return folder / names[0] if len(names) == 1 else None

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            try:
                for name in sorted(os.listdir(folder)):
                    listing.setdefault(_key(name), []).append(name)
            except OSError:
                listing.clear()
            self._listings[folder] = listing
        return self._listings[folder]

    def _mask_of(self, image: Path) -> Path | None:
        stems = mask_stems(image.name)
        found = self._mask_in(image.parent, (), stems)
        if found is not None:
            return found
        parts = image.relative_to(self._dataset).parts
        for start in range(len(parts) - 1, -1, -1):
            scale = re.fullmatch(r"images(_\d+)", parts[start])
            names = (f"masks{scale[1]}", *MASK_FOLDERS) if scale else MASK_FOLDERS
            for name in names:
                masks = self._child(self._dataset.joinpath(*parts[:start]), name)
                if masks is None or not masks.is_dir():
                    continue
                for folders in (parts[start:-1], parts[start + 1 : -1]):
                    found = self._mask_in(masks, folders, (image.stem, *stems))
                    if found is not None:
                        return found
        return None

    def _mask_in(
        self, folder: Path, folders: Sequence[str], stems: Sequence[str]
    ) -> Path | None:
        for part in folders:
            child = self._child(folder, part)
            if child is None or not child.is_dir():
                return None
            folder = child
        for stem in stems:
            for suffix in IMAGE_SUFFIXES:
                path = self._child(folder, stem + suffix)
                if path is not None and path.is_file():
                    return inside(self._dataset, os.path.relpath(path, self._dataset))
        return None

    def _leftovers(self) -> Iterator[str]:
        masks = set(self._masks.values())
        rest = self._below(self._named, without={*self._named, *masks})
        if rest:
            total = len(rest) + len(self._named)
            yield (
                f"{len(rest)} of {total} images have no camera and are not used: "
                f"{shortened(rest)}"
            )
        bare = [self._shown(image) for image in self._named if image not in self._masks]
        if masks and bare:
            yield (
                f"{len(bare)} of {len(self._named)} images have no mask and count "
                f"whole: {shortened(bare)}"
            )
        rest = self._below(masks, without={*self._named, *masks})
        if rest:
            total = len(rest) + len(masks)
            yield (
                f"{len(rest)} of {total} masks have no image and are not used: "
                f"{shortened(rest)}"
            )

        yield from self._mask_like(masks)

    def _mask_like(self, masks: set[Path]) -> Iterator[str]:
        """Folders beside those of images that may be meant as masks, and are not."""
        used = {*self._named, *masks}
        beside = {
            folder
            for image in self._named
            for folder in (image.parent, image.parent.parent)
            if folder.is_relative_to(self._dataset)
        }
        for folder in sorted({self._dataset, *beside}):
            for names in self._listing(folder).values():
                for other in (folder / name for name in names):
                    if not MASK_LIKE.search(other.name) or not other.is_dir():
                        continue
                    found = set(_images(other, deep=True))
                    if found and not found & used:
                        yield (
                            f"{len(found)} pictures in {self._shown(other)}/ are not "
                            "used; masks are found in a folder masks/, each with the "
                            "name of its image"
                        )

    def _below(self, files: Iterable[Path], *, without: set[Path]) -> list[str]:
        """Other images in the folders of some files, at any depth of the dataset's."""
        tops = {file.relative_to(self._dataset).parts[:-1][:1] for file in files}
        found: set[Path] = set()
        for top in tops:
            found |= set(_images(self._dataset.joinpath(*top), deep=bool(top)))
        return sorted(self._shown(path) for path in found - without)

    def _nearest(self, name: str) -> str | None:
        """The file that nobody names whose name is nearest, if one is near."""
        free = {
            _parts(path.name)[-1]: path
            for path in _images(self._dataset, deep=True)
            if path not in self._named and path not in self._masks.values()
        }
        last = _parts(name)[-1]
        stem = _key(last).rpartition(".")[0] or _key(last)
        alike = [other for other in free if _key(other).rpartition(".")[0] == stem]
        near = alike or difflib.get_close_matches(last, free, n=1, cutoff=0.75)
        return self._shown(free[near[0]]) if near else None

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._dataset).as_posix()

    @staticmethod
    def _hint(near: str | None) -> str:
        return f" Is it {near!r}?" if near is not None else ""


def shortened(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _images(folder: Path, *, deep: bool) -> Iterator[Path]:
    """Image files in a folder, without links and litter; at any depth if so asked."""

    def walk(folder: Path) -> Iterator[Path]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            if entry.is_symlink() or is_litter(entry.name):
                continue
            if entry.is_dir():
                yield from walk(Path(entry.path)) if deep else ()
            elif is_image_name(entry.name):
                yield Path(entry.path)

    return islice(walk(folder), MOST_LISTED)


def _completions(name: str, suffixes: Sequence[str]) -> tuple[str, ...]:
    """What a name may lack at its end."""
    return ("",) if name.lower().endswith(IMAGE_SUFFIXES) else ("", *suffixes)


def _parts(name: str) -> tuple[str, ...]:
    """Folders and file of a name, whichever way they are separated."""
    return PurePosixPath(posixpath.normpath(name.replace("\\", "/"))).parts


def _canonical(name: str) -> tuple[str, ...]:
    return tuple(map(_key, _parts(name)))


def _key(name: str) -> str:
    """The same for names that differ only in how they are written."""
    key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    key = key.strip()
    for suffix, short in _SAME_SUFFIXES:
        key = key.removesuffix(suffix) + short if key.endswith(suffix) else key
    return key


def _is_file(path: Path, name: str) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise DatasetError(
            f"{name!r} is not a file name ({reason(error)})",
            remedy="Name files relative to the dataset folder.",
        ) from error
