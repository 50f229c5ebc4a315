"""Index files: which views are inputs and which are targets, under a hash.

A benchmark number means nothing without them, so they are written once, carry their
own hash, and every result records it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nvs.errors import DatasetError
from nvs.files import write_text
from nvs.scene.dataset_files import read_json

HASH_KEY = "sha256"


def index_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of an index file's content, itself left out, whatever its layout."""
    plain = {key: value for key, value in content.items() if key != HASH_KEY}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write_index(path: Path, content: Mapping[str, Any]) -> str:
    """Write an index file with its hash inside, and return the hash.

    Raises:
        OutputError: If it cannot be written.
    """
    digest = index_hash(content)
    text = json.dumps({**content, HASH_KEY: digest}, indent=1)
    write_text(path, text + "\n")
    return digest


def read_index(path: Path) -> dict[str, Any]:
    """Content of an index file, its hash verified.

    Raises:
        DatasetError: If it is missing, not JSON, or was changed by hand.
    """
    content = read_json(path)
    if not isinstance(content, dict) or HASH_KEY not in content:
        raise DatasetError(
            f"{path} is not an index file", remedy="Delete it; it is made again."
        )
    if content[HASH_KEY] != index_hash(content):
        raise DatasetError(
            f"{path} was changed: it does not match its own hash "
            f"{str(content[HASH_KEY])[:12]}…",
            remedy="Restore it, or delete it to choose views anew.",
        )
    return content
