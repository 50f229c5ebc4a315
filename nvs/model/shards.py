"""A weights file in shards under a size, and back.

Shards are slices of the one file, listed with their digests in a manifest, so that
joining them gives that file again, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from nvs.errors import CheckpointError
from nvs.files import atomic_output, remove_file, write_text

WEIGHTS = "weights.safetensors"
MANIFEST = "weights.json"
SHARD = re.compile(r"weights-\d{5,}-of-\d{5,}\.shard")


def exported_file(folder: Path) -> Path | None:
    """What an exported folder gives: its one file, else the manifest of its shards."""
    for path in (folder / WEIGHTS, folder / MANIFEST):
        if path.is_file():
            return path
    return None


def split_file(path: Path, shard_bytes: int) -> list[Path]:
    """Write slices of a file beside it, and their manifest, which comes last."""
    content = path.read_bytes()
    starts = range(0, len(content), shard_bytes)
    shards: list[dict[str, Any]] = []
    paths: list[Path] = []
    for number, start in enumerate(starts, 1):
        piece = content[start : start + shard_bytes]
        name = f"{path.stem}-{number:05d}-of-{len(starts):05d}.shard"
        with atomic_output(path.with_name(name)) as temporary:
            temporary.write_bytes(piece)
        paths.append(path.with_name(name))
        digest = hashlib.sha256(piece).hexdigest()
        shards.append({"file": name, "bytes": len(piece), "sha256": digest})
    manifest = {
        "file": path.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "shards": shards,
    }
    write_text(path.with_name(MANIFEST), json.dumps(manifest, indent=1) + "\n")
    return [*paths, path.with_name(MANIFEST)]


def remove_shards(folder: Path) -> None:
    """Remove the manifest of exported weights, then the shards beside it.

    Raises:
        OutputError: If one cannot be removed.
    """
    shards = [path for path in folder.glob("*.shard") if SHARD.fullmatch(path.name)]
    for path in (folder / MANIFEST, *shards):
        remove_file(path)


def join_shards(manifest: Path, output: Path) -> None:
    """Write the file that a manifest's shards were cut from.

    Raises:
        CheckpointError: If the manifest or a shard is missing or damaged.
        OutputError: If the file cannot be written.
    """
    remedy = "Copy the exported folder again."
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
        shards = [
            (manifest.with_name(str(shard["file"])), str(shard["sha256"]))
            for shard in listed["shards"]
        ]
        whole_digest = str(listed["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{manifest} is not a manifest of shards ({error})", remedy=remedy
        ) from error
    whole = hashlib.sha256()
    with atomic_output(output) as temporary, temporary.open("wb") as file:
        for path, digest in shards:
            if not path.is_file():
                raise CheckpointError(f"the shard {path} is missing", remedy=remedy)
            piece = path.read_bytes()
            if hashlib.sha256(piece).hexdigest() != digest:
                raise CheckpointError(
                    f"{path} is damaged: its {len(piece)} bytes do not match their "
                    "digest",
                    remedy=remedy,
                )
            whole.update(piece)
            file.write(piece)
        if whole.hexdigest() != whole_digest:
            raise CheckpointError(
                f"the shards of {manifest} do not join to the file they were cut from",
                remedy=remedy,
            )
