"""Shards join to the file they were cut from, or say which one is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nvs.errors import CheckpointError
from nvs.model.shards import (
    MANIFEST,
    WEIGHTS,
    exported_file,
    join_shards,
    remove_shards,
    split_file,
)


@pytest.mark.parametrize("size", [1, 7, 99, 100, 101])
def test_any_size_joins(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(100)))
    shards = split_file(path, size)[:-1]
    assert len(shards) == -(-100 // size)
    join_shards(tmp_path / MANIFEST, tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == path.read_bytes()


def test_missing_and_damaged_shards_are_named(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(100)))
    first, second, _, manifest = split_file(path, 40)
    second.write_bytes(b"x" * 40)
    output = tmp_path / "again.bin"
    with pytest.raises(CheckpointError, match=f"{second.name} is damaged"):
        join_shards(manifest, output)
    first.unlink()
    with pytest.raises(CheckpointError, match=rf"{first.name} is missing. Copy the"):
        join_shards(manifest, output)
    for listed in ({"file": "file.bin"}, {"shards": [{"file": "../a", "sha256": ""}]}):
        manifest.write_text(json.dumps(listed))
        with pytest.raises(CheckpointError, match="is not a manifest of shards"):
            join_shards(manifest, output)
    assert not output.exists()


def test_a_folder_gives_its_file_or_its_shards(tmp_path: Path) -> None:
    assert exported_file(tmp_path / "none") is None
    assert exported_file(tmp_path) is None
    whole = tmp_path / WEIGHTS
    whole.write_bytes(bytes(range(100)))
    split_file(whole, 40)
    assert exported_file(tmp_path) == whole
    whole.unlink()
    assert exported_file(tmp_path) == tmp_path / MANIFEST
    (tmp_path / "weights-other.shard").touch()
    remove_shards(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["weights-other.shard"]
    remove_shards(tmp_path)
