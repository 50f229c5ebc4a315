"""Photographs without cameras: a video of them, and finding the cameras as a job."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import Job
from nvs.api.names import is_photograph
from nvs.api.posing import PoseRequest
from nvs.api.scenes import VideoUpload
from nvs.file_kinds import VIDEO_TYPES
from nvs_server.edge.problems import Problem, not_found
from nvs_server.jobs.rebuild import pose_key
from nvs_server.jobs.runner import JobRunner
from nvs_server.routes.dependencies import (
    FILE_BODY,
    JSON_BODY,
    BlobStore,
    IdempotencyKey,
    Jobs,
    Runner,
    SceneId,
    Scenes,
    SettingsDep,
    Writer,
    binary,
    errors,
    find_scene,
)
from nvs_server.routes.transfer import check_room, media_type, received
from nvs_server.storage.records import FileRecord, JobRecord, SceneRecord

FEWEST_PHOTOGRAPHS = 3
MEDIA_TYPES = tuple(dict.fromkeys(VIDEO_TYPES.values()))
BODY = {
    "requestBody": {
        "required": True,
        "content": binary("video/mp4"),
        "description": f"The file, of one of these types: {', '.join(MEDIA_TYPES)}.",
    }
}
DEFAULTS = PoseRequest()

router = APIRouter(tags=["posing"])


@router.put(
    "/{scene_id}/video",
    operation_id="put_video",
    summary="Upload a video",
    response_description="It is there.",
    openapi_extra=BODY,
    responses=errors(*FILE_BODY, "not-found", "building", "quota-exceeded"),
)
async def put_video(
    request: Request,
    scene_id: SceneId,
    caller: Writer,
    scenes: Scenes,
    blobs: BlobStore,
) -> VideoUpload:
    """Upload the scene's video instead of an earlier one; posing chooses its frames."""
    await find_scene(scenes, caller, scene_id)
    kind = media_type(request, MEDIA_TYPES)
    check_room(request, await run_in_threadpool(scenes.usage, caller.owner), caller)
    suffix = next(suffix for suffix, name in VIDEO_TYPES.items() if name == kind)
    async with received(request, blobs) as body:
        file = FileRecord(
            path=f"video{suffix}",
            kind="video",
            sha256=body.sha256,
            num_bytes=body.num_bytes,
        )
        await run_in_threadpool(blobs.put_file, body.path, body.sha256)
        await run_in_threadpool(
            scenes.replace_files,
            scene_id,
            [file],
            kind="video",
            limit_bytes=caller.quotas.bytes,
        )
    return VideoUpload(sha256=file.sha256, num_bytes=file.num_bytes)


@router.delete(
    "/{scene_id}/video",
    status_code=204,
    operation_id="delete_video",
    summary="Delete the uploaded video",
    response_description="It is gone.",
    responses=errors("not-found", "building", "disk-full"),
)
async def delete_video(scene_id: SceneId, caller: Writer, scenes: Scenes) -> None:
    """Delete the video; frames that posing chose of it stay."""
    scene = await find_scene(scenes, caller, scene_id)
    if not scene.has_video:
        raise not_found("video in this scene")
    await run_in_threadpool(scenes.replace_files, scene_id, [], kind="video")


@router.post(
    "/{scene_id}/pose",
    status_code=202,
    response_model=Job,
    operation_id="pose_scene",
    summary="Find the cameras",
    response_description="The new job; Location is its address.",
    responses={
        200: {"model": Job, "description": "The same posing waits, runs or is done."}
    }
    | errors(
        *JSON_BODY,
        *("not-found", "inputs-missing", "building", "idempotency-conflict"),
        *("quota-exceeded", "queue-full", "disk-full"),
    ),
)
async def pose(
    response: Response,
    scene_id: SceneId,
    caller: Writer,
    scenes: Scenes,
    jobs: Jobs,
    settings: SettingsDep,
    runner: Runner,
    body: Annotated[PoseRequest, Body()] = DEFAULTS,
    idempotency_key: IdempotencyKey = None,
) -> JobRecord:
    """Queue structure from motion over the uploaded photographs and video.

    The job's result, and `posing` of the scene, is the report; the cameras take the
    place of those that are there.
    """
    scene = await find_scene(scenes, caller, scene_id)
    files = await run_in_threadpool(scenes.files, scene_id)
    check_photographs(scene, files)
    parameters = {"pose": body.model_dump(mode="json")}
    job, is_new = await run_in_threadpool(
        jobs.submit,
        caller.owner,
        scene_id,
        "pose",
        parameters,
        dedupe_key=pose_key(files, parameters),
        idempotency_key=idempotency_key,
        limit_queued=settings.max_job_queue,
        limit_bytes=caller.quotas.bytes,
    )
    return submitted(job, is_new, response, runner)


def check_photographs(scene: SceneRecord, files: list[FileRecord]) -> None:
    """Refuse to find the cameras of a scene with fewer photographs than that takes.

    Raises:
        Problem: `inputs-missing`, 409.
    """
    photographs = [f for f in files if f.kind == "image" and is_photograph(f.path)]
    if not scene.has_video and len(photographs) < FEWEST_PHOTOGRAPHS:
        raise Problem(
            "inputs-missing",
            f"The scene has {len(photographs)} photographs and no video.",
            remedy=f"PUT /v1/scenes/{scene.id}/images/{{name}} at least "
            f"{FEWEST_PHOTOGRAPHS}, better 20 or more, or PUT …/video.",
        )


def submitted(
    job: JobRecord, is_new: bool, response: Response, runner: JobRunner
) -> JobRecord:
    """The answer: 202 and a runner that looks for it, or 200 if it was there."""
    if is_new:
        runner.wake()
    else:
        response.status_code = 200
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job
