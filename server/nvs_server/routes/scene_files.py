"""Scene files: downloaded, and uploaded ready-made."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.scenes import Scene
from nvs_server.access.dependencies import BackendDep, BlobStore, Reader, Scenes, Writer
from nvs_server.jobs.materialise import work_folder
from nvs_server.jobs.naming import shown_as
from nvs_server.jobs.work import store_inputs
from nvs_server.limits.disconnect import run_while_connected
from nvs_server.limits.inspections import InspectionsDep
from nvs_server.routes.dependencies import (
    FILE_BODY,
    SceneId,
    built_file,
    errors,
    find_scene,
)
from nvs_server.routes.downloads import blob_response
from nvs_server.routes.receive import check_room, media_type, received
from nvs_server.storage.records import BuiltScene, SceneRecord

SCENE_TYPE = "application/octet-stream"
BODY = {
    "requestBody": {
        "required": True,
        "content": {SCENE_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

router = APIRouter(tags=["scene files"])


@router.get(
    "/{scene_id}/file",
    operation_id="get_scene_file",
    summary="Download the scene file",
    response_class=Response,
    responses={
        200: {
            "content": {SCENE_TYPE: {}},
            "description": "The file; ETag is its SHA-256.",
        },
        206: {"description": "The range that was asked for."},
        304: {"description": "The file that If-None-Match names is still right."},
    }
    | errors("not-found", "not-built", "building", "range", "blob-lost"),
)
async def get_file(
    request: Request,
    scene_id: SceneId,
    caller: Reader,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """The scene file, which `nvs render` and any other server with its weights read."""
    file = built_file(await find_scene(scenes, caller, scene_id))
    return await blob_response(
        *(request, blobs, file.sha256, file.num_bytes, SCENE_TYPE),
        filename=f"{scene_id}.scene",
    )


@router.put(
    "/{scene_id}/file",
    operation_id="put_scene_file",
    summary="Upload a scene file",
    response_description="The scene, ready to be rendered.",
    response_model=Scene,
    openapi_extra=BODY,
    responses=errors(
        *(*FILE_BODY, "not-found", "building", "quota-exceeded"),
        *("queue-full", "worker-lost"),
    ),
)
async def put_file(
    request: Request,
    scene_id: SceneId,
    caller: Writer,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    inspections: InspectionsDep,
) -> SceneRecord:
    """Upload a scene file that weights of this service built elsewhere."""
    scene = await find_scene(scenes, caller, scene_id)
    media_type(request, (SCENE_TYPE,))
    usage = await run_in_threadpool(scenes.usage, caller.owner)
    check_room(request, usage, caller, replaced_bytes=scene.scene_bytes)
    inspections.check_room()
    async with received(request, blobs) as body:
        with inspections.place(), work_folder(blobs) as folder:
            with shown_as(body.path, "the scene file"):
                found = await run_while_connected(
                    request, backend.inspect_scene(body.path, body.sha256, folder)
                )
            inputs = await run_in_threadpool(store_inputs, found.inputs, blobs)
        await run_in_threadpool(blobs.put_file, body.path, body.sha256)
        return await run_in_threadpool(
            scenes.set_built,
            scene_id,
            BuiltScene(file=found.file, inputs=inputs),
            limit_bytes=caller.quotas.bytes,
        )
