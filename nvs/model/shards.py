"""A weights file in shards under a size, and back.

Shards are slices of the one file, listed with their digests in a manifest, so that
joining them gives that file again, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from nvs.errors import CheckpointError
from nvs.files import atomic_output, write_text

WEIGHTS = "weights.safetensors"
MANIFEST = "weights.json"


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


def join_shards(manifest: Path, output: Path) -> None:
    """Write the file that a manifest's shards were cut from.

    Raises:
        CheckpointError: If the manifest or a shard is missing or damaged.
        OutputError: If the file cannot be written.
    """
    remedy = "Copy the exported folder again."
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
        shards = [(str(s["file"]), str(s["sha256"])) for s in listed["shards"]]
        whole_digest = str(listed["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{manifest} is not a manifest of shards ({error})", remedy=remedy
        ) from error
    whole = hashlib.sha256()
    with atomic_output(output) as temporary, temporary.open("wb") as file:
        for name, digest in shards:
            path = manifest.with_name(name)
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
