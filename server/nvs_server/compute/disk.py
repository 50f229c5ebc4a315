"""The files of a remote store that are kept here, counted now and then."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

COUNT_SECONDS = 60.0
"""Pause between two counts; there may be very many files."""
SCENE_START = b'{"__metadata__"'
"""How a scene file goes on after its first eight bytes, and no other stored file."""


class DiskCache:
    """Numbers of a `BlobCache` as of the last count.

    Args:
        folder: That of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self._copies = folder / "blobs"
        self._is_scene: dict[str, bool] = {}
        self.num_bytes = 0
        """Of all copies."""
        self.num_scenes = 0
        """Scene files among the copies."""

    async def keep_counting(self) -> None:
        """Count for ever, on a thread."""
        while True:
            with suppress(OSError):  # the numbers stay as they were
                await asyncio.to_thread(self.count)
            await asyncio.sleep(COUNT_SECONDS)

    def count(self) -> None:
        """Count the copies; only those that are new are looked into."""
        num_bytes = 0
        is_scene: dict[str, bool] = {}
        for copy in self._entries():
            with suppress(FileNotFoundError):  # dropped just now
                num_bytes += copy.stat().st_size
                known = self._is_scene.get(copy.path)
                is_scene[copy.path] = _is_scene(copy.path) if known is None else known
        self._is_scene = is_scene
        self.num_bytes, self.num_scenes = num_bytes, sum(is_scene.values())

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        if not self._copies.is_dir():  # the store is local
            return
        with os.scandir(self._copies) as folders:
            for folder in folders:
                with os.scandir(folder) as copies:
                    yield from copies


def _is_scene(path: str) -> bool:
    """Whether a file, named by its digest and therefore always the same, is a scene."""
    with open(path, "rb") as file:
        return file.read(8 + len(SCENE_START))[8:] == SCENE_START
