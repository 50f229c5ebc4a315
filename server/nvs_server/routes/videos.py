"""Videos of a built scene."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import Job
from nvs.api.renders import VideoRequest
from nvs_server.access.dependencies import Jobs, RenderCaller, Scenes, SettingsDep
from nvs_server.jobs.keys import video_key
from nvs_server.problems import invalid
from nvs_server.routes.dependencies import (
    JSON_BODY,
    IdempotencyKey,
    Runner,
    SceneId,
    built_file,
    errors,
    find_scene,
)
from nvs_server.routes.renders import PicturesDep
from nvs_server.storage.records import JobRecord

router = APIRouter(prefix="/v1/scenes", tags=["videos"])


@router.post(
    "/{scene_id}/videos",
    status_code=202,
    response_model=Job,
    operation_id="render_video",
    summary="Render a video",
    response_description="The new job; Location is its address.",
    responses={
        200: {"model": Job, "description": "The same video waits, runs or is done."}
    }
    | errors(
        *JSON_BODY,
        *("not-found", "not-built", "building", "idempotency-conflict"),
        *("queue-full", "worker-lost", "disk-full"),
    ),
)
async def video(
    response: Response,
    scene_id: SceneId,
    body: VideoRequest,
    caller: RenderCaller,
    scenes: Scenes,
    jobs: Jobs,
    settings: SettingsDep,
    pictures: PicturesDep,
    runner: Runner,
    idempotency_key: IdempotencyKey = None,
) -> JobRecord:
    """Queue the rendering of a camera path; the job's result is an mp4."""
    scene = await find_scene(scenes, caller, scene_id)
    file = built_file(scene)
    await pictures.check_size(scene, body.height, body.width)
    if body.num_frames > settings.max_video_frames:
        raise invalid(
            "trajectory",
            f"{body.num_frames} frames are over the limit",
            remedy=f"Ask for at most {settings.max_video_frames}.",
        )
    parameters = body.model_dump(mode="json", exclude_none=True)
    job, is_new = await run_in_threadpool(
        jobs.submit,
        caller.owner,
        scene_id,
        "video",
        parameters,
        dedupe_key=video_key(file.sha256, parameters),
        idempotency_key=idempotency_key,
        limit_queued=settings.max_job_queue,
        limit_bytes=caller.quotas.bytes,
    )
    if is_new:
        runner.wake()
    else:
        response.status_code = 200
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job
