"""Photographs without cameras: a video of them, and finding the cameras as a job."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import Job
from nvs.api.names import is_photograph
from nvs.api.posing import PoseRequest
from nvs.api.scenes import VideoUpload
from nvs.file_kinds import VIDEO_TYPES
from nvs_server.edge.problems import Problem, not_found
from nvs_server.jobs.rebuild import pose_key
from nvs_server.routes.dependencies import (
    FILE_BODY,
    JSON_BODY,
    BlobStore,
    QueueDep,
    Scenes,
    SettingsDep,
    WritableScene,
    Writer,
    binary,
    errors,
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
    scene: WritableScene,
    caller: Writer,
    scenes: Scenes,
    blobs: BlobStore,
) -> VideoUpload:
    """Upload the scene's video instead of an earlier one; posing chooses its frames."""
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
            scene.id,
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
async def delete_video(scene: WritableScene, scenes: Scenes) -> None:
    """Delete the video; frames that posing chose of it stay."""
    if not scene.has_video:
        raise not_found("video in this scene")
    await run_in_threadpool(scenes.replace_files, scene.id, [], kind="video")


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
    scene: WritableScene,
    caller: Writer,
    scenes: Scenes,
    queue: QueueDep,
    settings: SettingsDep,
    body: Annotated[PoseRequest, Body()] = DEFAULTS,
) -> JobRecord:
    """Queue structure from motion over the uploaded photographs and video.

    The job's result, and `posing` of the scene, is the report; the cameras take the
    place of those that are there.
    """
    files = await run_in_threadpool(scenes.files, scene.id)
    check_photographs(scene, files)
    parameters = {"pose": body.model_dump(mode="json")}
    return await queue.put(
        caller, scene, "pose", parameters, pose_key(files, parameters)
    )


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
