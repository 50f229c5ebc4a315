"""Builds and videos of a scene, queued as jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import BuildRequest, CountedViews, Job, ListedViews
from nvs.api.renders import VideoRequest
from nvs.api.system import Model
from nvs_server.compute.protocol import Backend
from nvs_server.edge.problems import Problem, invalid
from nvs_server.jobs.rebuild import build_key, video_key
from nvs_server.jobs.runner import JobRunner
from nvs_server.routes.datasets import check_inputs
from nvs_server.routes.dependencies import (
    JSON_BODY,
    BackendDep,
    IdempotencyKey,
    Jobs,
    RenderCaller,
    Runner,
    SceneId,
    Scenes,
    SettingsDep,
    Writer,
    built_file,
    errors,
    find_model,
    find_scene,
)
from nvs_server.routes.renders import PicturesDep
from nvs_server.storage.records import JobRecord

DEFAULTS = BuildRequest()

router = APIRouter(prefix="/v1/scenes")


@router.post(
    "/{scene_id}/build",
    tags=["builds"],
    status_code=202,
    response_model=Job,
    operation_id="build_scene",
    summary="Build a scene",
    response_description="The new job; Location is its address.",
    responses={
        200: {"model": Job, "description": "The same build waits, runs or is done."}
    }
    | errors(
        *JSON_BODY,
        *("not-found", "inputs-missing", "idempotency-conflict"),
        *("quota-exceeded", "queue-full", "worker-lost", "disk-full"),
    ),
)
async def build(
    response: Response,
    scene_id: SceneId,
    caller: Writer,
    scenes: Scenes,
    jobs: Jobs,
    backend: BackendDep,
    settings: SettingsDep,
    runner: Runner,
    body: Annotated[BuildRequest, Body()] = DEFAULTS,
    idempotency_key: IdempotencyKey = None,
) -> JobRecord:
    """Queue one forward pass over the uploaded views.

    The same build is done once: while it waits or runs, and after it is done until
    images, cameras or the scene file change, this answers its job.
    """
    scene = await find_scene(scenes, caller, scene_id)
    check_inputs(scene)
    model = await _model(backend, body.weights)
    _check_size(body, model)
    _check_views(body, model)
    parameters = body.model_dump(mode="json", exclude_none=True)
    parameters["weights"] = model.id
    files = await run_in_threadpool(scenes.files, scene_id)
    job, is_new = await run_in_threadpool(
        jobs.submit,
        caller.owner,
        scene_id,
        "build",
        parameters,
        dedupe_key=build_key(files, model.digest, parameters),
        idempotency_key=idempotency_key,
        limit_queued=settings.max_job_queue,
        limit_per_day=caller.quotas.builds_per_day,
        limit_bytes=caller.quotas.bytes,
    )
    return _submitted(job, is_new, response, runner)


@router.post(
    "/{scene_id}/videos",
    tags=["videos"],
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
    return _submitted(job, is_new, response, runner)


def _submitted(
    job: JobRecord, is_new: bool, response: Response, runner: JobRunner
) -> JobRecord:
    """The answer: 202 and a runner that looks for it, or 200 if it was there."""
    if is_new:
        runner.wake()
    else:
        response.status_code = 200
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


async def _model(backend: Backend, weights: str | None) -> Model:
    model = await find_model(backend, weights)
    if model is not None:
        return model
    if weights is None:
        raise Problem("worker-lost", "The models are not known yet.")
    known = ", ".join(model.id for model in await backend.models())
    raise invalid(
        "weights",
        f"this service has no weights {weights!r}",
        remedy=f"It has: {known}.",
    )


def _check_size(body: BuildRequest, model: Model) -> None:
    if body.size is None:
        return
    if isinstance(body.size, int):
        limit = max(model.max_height, model.max_width)
        sides = ((body.size, limit, "size"),)
    else:
        height, width = body.size
        sides = (
            (height, model.max_height, "size.0"),
            (width, model.max_width, "size.1"),
        )
    for side, limit, field in sides:
        if not model.patch_size <= side <= limit:
            raise invalid(
                field,
                f"{side} pixels are not from {model.patch_size} to {limit}",
                remedy=f"That is what {model.id} builds; choose a size within it.",
            )


def _check_views(body: BuildRequest, model: Model) -> None:
    match body.views:
        case CountedViews(count=count):
            field = "views.count"
        case ListedViews(indices=indices):
            field, count = "views.indices", len(indices)
        case None:
            return
    if count > model.max_views:
        raise invalid(
            field,
            f"{count} views are more than {model.id} takes",
            remedy=f"Choose at most {model.max_views}.",
        )
