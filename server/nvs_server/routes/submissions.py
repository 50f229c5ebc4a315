"""Builds and videos of a scene, queued as jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Request
from starlette.concurrency import run_in_threadpool

from nvs.api.framing import Expectation
from nvs.api.jobs import BuildRequest, CountedViews, Job, ListedViews
from nvs.api.renders import VideoRequest
from nvs.api.system import Model
from nvs_server.compute.protocol import Backend
from nvs_server.edge.connections import run_while_connected
from nvs_server.edge.problems import invalid
from nvs_server.jobs.materialise import materialise, work_folder
from nvs_server.jobs.rebuild import build_key, pose_key, video_key
from nvs_server.naming import shown_as
from nvs_server.routes.datasets import check_inputs
from nvs_server.routes.dependencies import (
    JSON_BODY,
    BackendDep,
    BlobStore,
    BuildChecks,
    InspectionsDep,
    QueueDep,
    ReadableScene,
    RenderableScene,
    RenderCaller,
    Scenes,
    SettingsDep,
    WritableScene,
    Writer,
    built_file,
    errors,
    required_model,
)
from nvs_server.routes.posing import check_photographs
from nvs_server.routes.renders import PicturesDep
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import FileRecord, JobRecord

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
        *("not-found", "inputs-missing", "idempotency-conflict", "blob-lost"),
        *("quota-exceeded", "queue-full", "worker-lost", "disk-full"),
    ),
)
async def build(
    request: Request,
    scene: WritableScene,
    caller: Writer,
    scenes: Scenes,
    queue: QueueDep,
    blobs: BlobStore,
    backend: BackendDep,
    settings: SettingsDep,
    checks: BuildChecks,
    body: Annotated[BuildRequest, Body()] = DEFAULTS,
) -> JobRecord:
    """Queue one forward pass over the uploaded views.

    The same build is done once: while it waits or runs, and after it is done until
    images, cameras or the scene file change, this answers its job. Where the framing
    is `auto` and hopeless there is no job: the answer is 422, with reason and remedy.
    Where the scene has no cameras and `pose` is given, they are found first: the answer
    is the job of kind `pose`, and the build follows it.
    """
    files = await run_in_threadpool(scenes.files, scene.id)
    is_posed_first = body.pose is not None and not scene.has_cameras
    if is_posed_first:
        check_photographs(scene, files)
    else:
        check_inputs(scene)
    model = await required_model(backend, body.weights)
    _check_size(body, model)
    _check_views(body, model)
    parameters = body.model_dump(mode="json", exclude_none=True, exclude={"pose"})
    parameters["weights"] = model.id
    key = build_key(files, model.digest, parameters)
    if is_posed_first and body.pose is not None:
        pose = body.pose.model_dump(mode="json")
        parameters = {"pose": pose, "build": parameters}
        key = pose_key(files, parameters)
    elif body.framing == "auto":
        with checks.place():
            expected = await _expected(request, files, blobs, backend, body, look=False)
        if expected.verdict == "hopeless":
            concern = expected.concerns[0]
            raise invalid("framing", concern.problem, remedy=concern.remedy)
    return await queue.put(
        caller,
        scene,
        "pose" if is_posed_first else "build",
        parameters,
        key,
        limit_per_day=caller.quotas.builds_per_day,
    )


@router.post(
    "/{scene_id}/expectation",
    tags=["builds"],
    operation_id="expect_build",
    summary="What to expect of a build",
    response_description="How it would be framed, and what to expect of that.",
    responses=errors(
        *JSON_BODY,
        *("not-found", "inputs-missing", "blob-lost", "queue-full", "worker-lost"),
    ),
)
async def expect(
    request: Request,
    scene: ReadableScene,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    inspections: InspectionsDep,
    body: Annotated[BuildRequest, Body()] = DEFAULTS,
) -> Expectation:
    """Say how a build would frame the capture, and what to expect; make nothing."""
    check_inputs(scene)
    model = await required_model(backend, body.weights)
    _check_size(body, model)
    files = await run_in_threadpool(scenes.files, scene.id)
    with inspections.place():
        return await _expected(request, files, blobs, backend, body, look=True)


async def _expected(
    request: Request,
    files: Sequence[FileRecord],
    blobs: Blobs,
    backend: Backend,
    body: BuildRequest,
    *,
    look: bool,
) -> Expectation:
    with work_folder(blobs) as folder, shown_as(folder, "the dataset"):
        await run_in_threadpool(materialise, files, blobs.local_path, folder)
        return await run_while_connected(
            request, backend.expect(folder, body, look=look)
        )


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
    scene: RenderableScene,
    body: VideoRequest,
    caller: RenderCaller,
    queue: QueueDep,
    settings: SettingsDep,
    pictures: PicturesDep,
) -> JobRecord:
    """Queue the rendering of a camera path; the job's result is an mp4."""
    file = built_file(scene)
    await pictures.check_size(scene, body.height, body.width)
    if body.num_frames > settings.max_video_frames:
        raise invalid(
            "trajectory",
            f"{body.num_frames} frames are over the limit",
            remedy=f"Ask for at most {settings.max_video_frames}.",
        )
    parameters = body.model_dump(mode="json", exclude_none=True)
    return await queue.put(
        caller, scene, "video", parameters, video_key(file.sha256, scene.up, parameters)
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
