"""A scene file that is lost or damaged is built again from the uploaded inputs."""

from __future__ import annotations

from server.jobs.parameters import build_key
from server.storage.blobs import Blobs
from server.storage.errors import BlobDamaged, BlobMissing
from server.storage.jobs import JobStore
from server.storage.records import ErrorRecord, JobRecord, SceneRecord
from server.storage.scenes import SceneStore

REMEDY = "Upload the scene file, or images and cameras, again."


def rebuild(
    scene: SceneRecord, scenes: SceneStore, jobs: JobStore, blobs: Blobs
) -> JobRecord | None:
    """Queue the build of a scene again if its file is really lost.

    Safe to call for every request that meets the damage: the file is checked first,
    and builds of the same inputs and parameters are one job.

    Returns:
        The build; None if the file turns out well, or there is nothing to build it
        from: the scene has then failed with the reason.
    """
    sha256 = scene.scene_sha256
    if sha256 is None:
        return None
    try:
        blobs.verify(sha256)
    except (BlobMissing, BlobDamaged) as error:
        problem = f"the scene file is lost: {error.problem}"
    else:
        return None
    blobs.delete(sha256)
    origin = _origin(scene, scenes, jobs)
    scenes.set_failed(scene.id, ErrorRecord(problem=problem, remedy=REMEDY))
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
    if not is_built or scene.job_id is None or not scene.num_images:
        return None
    return jobs.get(scene.owner, scene.job_id)
