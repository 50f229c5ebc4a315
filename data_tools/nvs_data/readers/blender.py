"""Blender renders as of NeRF-synthetic: one `transforms_*.json` for each split."""

from __future__ import annotations

from pathlib import Path

from nvs.scene.dataset_files import is_file
from nvs.scene.frames import Dataset
from nvs_data.readers.nerfstudio import read_transforms

SPLITS = ("train", "val", "test")


class BlenderReader:
    """Reads one split: of a folder its training views, or the file that is named.

    The other splits are for evaluation: they are read only when their file is named,
    so that no held-out view becomes an input by accident.
    """

    name = "blender"
    file_names = tuple(f"transforms_{split}.json" for split in SPLITS)

    def recognises(self, path: Path) -> bool:
        """Whether this is a split's file or a folder that has the training split."""
        return path.name in self.file_names or is_file(path / self.file_names[0])

    def read(self, path: Path) -> Dataset:
        """The frames in file order."""
        return read_transforms(path / self.file_names[0] if path.is_dir() else path)
