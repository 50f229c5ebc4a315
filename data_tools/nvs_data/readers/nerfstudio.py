"""nerfstudio and instant-ngp: a `transforms.json` beside its images."""

from __future__ import annotations

from pathlib import Path

from nvs.scene.dataset_files import is_file
from nvs.scene.frames import Dataset
from nvs_data.readers.transforms_file import read_transforms


class NerfstudioReader:
    """Reads `transforms.json`."""

    name = "nerfstudio"
    file_name = "transforms.json"

    def recognises(self, path: Path) -> bool:
        """Whether this is the file or a folder that has it."""
        return path.name == self.file_name or is_file(path / self.file_name)

    def read(self, path: Path) -> Dataset:
        """The frames in file order."""
        return read_transforms(path / self.file_name if path.is_dir() else path)
