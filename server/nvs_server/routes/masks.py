"""Masks of a scene's photographs: made as a job, looked at, accepted or refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import Job
from nvs.api.masks import MaskDecision, MaskRequest, Masks
from nvs.api.names import PROPOSED_FOLDER
from nvs.file_kinds import is_mask_name
from nvs_server.edge.problems import invalid, not_found
from nvs_server.jobs.rebuild import mask_key
from nvs_server.routes.datasets import check_inputs
from nvs_server.routes.dependencies import (
    JSON_BODY,
    BlobStore,
    QueueDep,
    ReadableScene,
    Scenes,
    SettingsDep,
    WritableScene,
    Writer,
    binary,
    errors,
)
from nvs_server.routes.transfer import blob_response
from nvs_server.storage.records import FileRecord, JobRecord

PREVIEW_TYPE = "image/jpeg"
DEFAULTS, ALL = MaskRequest(), MaskDecision()

router = APIRouter(tags=["masks"])


@router.post(
    "/{scene_id}/masks",
    status_code=202,
    response_model=Job,
    operation_id="mask_scene",
    summary="Make masks",
    response_description="The new job; Location is its address.",
    responses={200: {"model": Job, "description": "The same job waits or runs."}}
    | errors(
        *JSON_BODY,
        *("not-found", "inputs-missing", "building", "idempotency-conflict"),
        *("quota-exceeded", "queue-full", "disk-full"),
    ),
)
async def make(
    scene: WritableScene,
    caller: Writer,
    scenes: Scenes,
    queue: QueueDep,
    settings: SettingsDep,
    body: Annotated[MaskRequest, Body()] = DEFAULTS,
) -> JobRecord:
    """Queue the cutting out of what the cameras look at, from every photograph.

    The job's result says how well the masks agree. They are proposals, which builds do
    not use before they are accepted.
    """
    check_inputs(scene)
    files = await run_in_threadpool(scenes.files, scene.id)
    num_used = _masks(files).num_used
    if num_used and not body.force:
        raise invalid(
            "force",
            f"the scene has {num_used} masks already",
            remedy="Delete them, or ask for new ones with force.",
        )
    parameters = {"mask": body.model_dump(mode="json")}
    return await queue.put(
        caller, scene, "mask", parameters, mask_key(files, parameters)
    )


@router.get(
    "/{scene_id}/masks",
    operation_id="list_masks",
    summary="List masks",
    response_description="What is proposed, and how many are used.",
    responses=errors("not-found"),
)
async def listed(scene: ReadableScene, scenes: Scenes) -> Masks:
    """Images whose masks are to be accepted or refused."""
    return _masks(await run_in_threadpool(scenes.files, scene.id))


@router.get(
    "/{scene_id}/masks/{name:path}",
    operation_id="get_mask_preview",
    summary="Look at a proposed mask",
    response_class=Response,
    responses={
        200: {
            "content": binary(PREVIEW_TYPE),
            "description": "The image, small, with the outline of the mask.",
        },
        206: {"description": "The range that was asked for."},
        304: {"description": "The picture that If-None-Match names is still right."},
    }
    | errors("not-found", "range", "blob-lost"),
)
async def preview(
    request: Request,
    scene: ReadableScene,
    name: Annotated[
        str,
        Path(
            description="Path of the image within the scene.",
            examples=["images/0001.jpg"],
        ),
    ],
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """The image with what is left out paled, as a thumbnail."""
    path = f"{PROPOSED_FOLDER}/{name}"
    file = await run_in_threadpool(scenes.file, scene.id, path)
    if file is None or file.kind != "preview":
        raise not_found(
            f"proposed mask of {name[:255]!r} in this scene",
            remedy=f"GET /v1/scenes/{scene.id}/masks lists them.",
        )
    return await blob_response(
        request, blobs, file.sha256, file.num_bytes, PREVIEW_TYPE
    )


@router.patch(
    "/{scene_id}/masks",
    operation_id="decide_masks",
    summary="Accept or refuse masks",
    response_description="What is used from now on.",
    responses=errors(*JSON_BODY, "not-found", "building", "disk-full"),
)
async def decide(
    scene: WritableScene,
    scenes: Scenes,
    body: Annotated[MaskDecision, Body()] = ALL,
) -> Masks:
    """Use some of the proposed masks, instead of all that were; forget the others."""
    proposed = _masks(await run_in_threadpool(scenes.files, scene.id)).proposed
    accepted = proposed if body.accepted is None else body.accepted
    unknown = sorted(set(accepted) - set(proposed))
    if unknown:
        raise invalid(
            "accepted",
            f"no mask of {unknown[0][:255]!r} is proposed",
            remedy=f"GET /v1/scenes/{scene.id}/masks lists them.",
        )
    await run_in_threadpool(scenes.decide_masks, scene.id, accepted)
    return _masks(await run_in_threadpool(scenes.files, scene.id))


def _masks(files: list[FileRecord]) -> Masks:
    previews = [file.path for file in files if file.kind == "preview"]
    return Masks(
        proposed=[path.removeprefix(f"{PROPOSED_FOLDER}/") for path in previews],
        num_used=sum(f.kind == "image" and is_mask_name(f.path) for f in files),
    )
