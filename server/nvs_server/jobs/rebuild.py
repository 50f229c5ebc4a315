"""When two jobs are the same, and a lost scene file that is built again.

The parameters of a job are the JSON of its request, with the weights filled in.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from nvs.api.names import is_made_by_posing
from nvs.api.scenes import Failure
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import BlobDamaged, BlobMissing
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import FileRecord, JobRecord, SceneRecord
from nvs_server.storage.scenes import SceneStore

REMEDY = "Upload the scene file, or images and cameras, again."


FRAMING_RULE = 3
"""Version of what `nvs.scene.framing` decides; 1 left object captures alone, 2 refused
views all round outwards."""


def build_key(
    files: Sequence[FileRecord], model_digest: str, parameters: Mapping[str, Any]
) -> str:
    """Equal for builds that give the same scene: same files, weights, parameters."""
    listed = _listed(files)
    return _digest(["build", FRAMING_RULE, listed, model_digest, parameters])


def pose_key(files: Sequence[FileRecord], parameters: Mapping[str, Any]) -> str:
    """Equal for posings of the same photographs, masks, video and parameters."""
    listed = sorted(
        (file.path, file.sha256)
        for file in files
        if file.kind == "video"
        or (file.kind == "image" and not is_made_by_posing(file.path))
    )
    return _digest(["pose", listed, parameters])


def mask_key(files: Sequence[FileRecord], parameters: Mapping[str, Any]) -> str:
    """Equal for makings of masks of the same files by the same parameters."""
    return _digest(["mask", _listed(files), parameters])


def video_key(
    scene_sha256: str, up: Sequence[float] | None, parameters: Mapping[str, Any]
) -> str:
    """Equal for videos that would be the same."""
    return _digest(["video", scene_sha256, up, parameters])


def _listed(files: Sequence[FileRecord]) -> list[tuple[str, str]]:
    """What counts of files: not the masks that are only proposed."""
    proposed = ("mask", "preview")
    return sorted((f.path, f.sha256) for f in files if f.kind not in proposed)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_one_at_a_time = threading.Lock()


def rebuild(
    scene: SceneRecord, scenes: SceneStore, jobs: JobStore, blobs: Blobs
) -> JobRecord | None:
    """Queue the build of a scene again if its file is really lost.

    Safe to call for every request that meets the damage: the file is checked first,
    and builds of the same inputs and parameters are one job.

    Returns:
        The build; None if the file turns out well, the scene has another by now, or
        there is nothing to build it from: the scene has then failed with the reason.
    """
    with _one_at_a_time:
        return _rebuild(scene, scenes, jobs, blobs)


def _rebuild(
    scene: SceneRecord, scenes: SceneStore, jobs: JobStore, blobs: Blobs
) -> JobRecord | None:
    sha256 = scene.scene_sha256
    if sha256 is None:
        return None
    try:
        blobs.verify(sha256)
    except (BlobMissing, BlobDamaged) as error:
        problem = f"the scene file is lost: {error.problem}"
    else:
        return None
    origin = _origin(scene, scenes, jobs)
    error = Failure(problem=problem, remedy=REMEDY)
    if not scenes.lose_file(scene.id, sha256, error):
        return _under_way(scene, scenes, jobs)
    blobs.delete(sha256)
    if origin is None:
        return None
    key = build_key(scenes.files(scene.id), scene.model_digest or "", origin.parameters)
    job, _ = jobs.submit(
        scene.owner, scene.id, "build", origin.parameters, dedupe_key=key
    )
    return job


def _origin(scene: SceneRecord, scenes: SceneStore, jobs: JobStore) -> JobRecord | None:
    """The build that made the scene file; None if it was uploaded."""
    is_built = any(view.sha256 is not None for view in scenes.inputs(scene.id))
    if not is_built or scene.built_job_id is None or not scene.num_images:
        return None
    return jobs.get(scene.owner, scene.built_job_id)


def _under_way(
    scene: SceneRecord, scenes: SceneStore, jobs: JobStore
) -> JobRecord | None:
    """The build that someone else who met the damage has asked for."""
    now = scenes.get(scene.owner, scene.id)
    if now is None or now.scene_sha256 is not None or now.job_id is None:
        return None
    return jobs.get(scene.owner, now.job_id)
