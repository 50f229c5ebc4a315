"""When two jobs are the same.

The parameters of a job are the JSON of its request, with the weights filled in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nvs_server.storage.records import FileRecord


def build_key(
    files: Sequence[FileRecord], model_digest: str, parameters: Mapping[str, Any]
) -> str:
    """Equal for builds that give the same scene: same files, weights, parameters."""
    listed = sorted((file.path, file.sha256) for file in files)
    return _digest(["build", listed, model_digest, parameters])


def video_key(scene_sha256: str, parameters: Mapping[str, Any]) -> str:
    """Equal for videos that would be the same."""
    return _digest(["video", scene_sha256, parameters])


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
