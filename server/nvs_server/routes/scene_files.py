"""Scene files, downloaded and uploaded ready-made, and the inputs they hold."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.scenes import Input, Inputs, Scene
from nvs_server.edge.connections import run_while_connected
from nvs_server.edge.problems import not_found
from nvs_server.jobs.materialise import work_folder
from nvs_server.jobs.work import store_inputs
from nvs_server.naming import shown_as
from nvs_server.routes.dependencies import (
    FILE_BODY,
    BackendDep,
    BlobStore,
    InspectionsDep,
    ReadableScene,
    Scenes,
    WritableScene,
    Writer,
    binary,
    built_file,
    errors,
)
from nvs_server.routes.transfer import blob_response, check_room, media_type, received
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import BuiltScene, InputRecord, SceneRecord
from nvs_server.storage.scenes import SceneStore

SCENE_TYPE = "application/octet-stream"
BODY = {
    "requestBody": {
        "required": True,
        "content": binary(SCENE_TYPE),
    }
}

files = APIRouter(tags=["scene files"])
inputs = APIRouter(tags=["inputs"])
PNG = {"content": binary("image/png"), "description": "The picture."}
JPEG = {"content": binary("image/jpeg"), "description": "The thumbnail."}
NOT_MODIFIED = {"description": "The picture that If-None-Match names is still right."}


@files.get(
    "/{scene_id}/file",
    operation_id="get_scene_file",
    summary="Download the scene file",
    response_class=Response,
    responses={
        200: {
            "content": binary(SCENE_TYPE),
            "description": "The file; ETag is its SHA-256.",
        },
        206: {"description": "The range that was asked for."},
        304: {"description": "The file that If-None-Match names is still right."},
    }
    | errors("not-found", "not-built", "building", "range", "blob-lost"),
)
async def get_file(
    request: Request,
    scene: ReadableScene,
    blobs: BlobStore,
) -> Response:
    """The scene file, which `nvs render` and any other server with its weights read."""
    file = built_file(scene)
    return await blob_response(
        *(request, blobs, file.sha256, file.num_bytes, SCENE_TYPE),
        filename=f"{scene.id}.scene",
    )


@files.put(
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
    scene: WritableScene,
    caller: Writer,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    inspections: InspectionsDep,
) -> SceneRecord:
    """Upload a scene file that weights of this service built elsewhere."""
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
            scene.id,
            BuiltScene(file=found.file, inputs=inputs),
            limit_bytes=caller.quotas.bytes,
        )


Index = Annotated[int, Path(ge=0, description="Place among the inputs, from 0.")]


@inputs.get(
    "/{scene_id}/inputs",
    operation_id="list_inputs",
    summary="List the inputs of a built scene",
    response_description="The inputs by index.",
    responses=errors("not-found", "not-built", "building"),
)
async def list_all(scene: ReadableScene, scenes: Scenes) -> Inputs:
    """Cameras of the inputs, in the user's world, for the images the network saw."""
    built_file(scene)
    assert scene.height is not None
    assert scene.width is not None
    views = await run_in_threadpool(scenes.inputs, scene.id)
    return Inputs(
        items=[
            Input(
                index=view.index,
                name=view.name,
                camera=view.camera,
                height=scene.height,
                width=scene.width,
            )
            for view in views
        ]
    )


@inputs.get(
    "/{scene_id}/inputs/{index}",
    operation_id="get_input",
    summary="Get an input picture",
    response_class=Response,
    responses={200: PNG, 304: NOT_MODIFIED}
    | errors("not-found", "not-built", "building", "invalid", "blob-lost"),
)
async def picture(
    request: Request,
    scene: ReadableScene,
    index: Index,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """An input as the network saw it; an uploaded scene file keeps thumbnails only."""
    view = await _view(scenes, scene, index)
    if view.sha256 is None:
        raise not_found(
            f"picture of input {index}: the scene file was uploaded",
            remedy=f"GET /v1/scenes/{scene.id}/inputs/{index}/thumbnail.",
        )
    return await _stored(request, blobs, view.sha256, "image/png")


@inputs.get(
    "/{scene_id}/inputs/{index}/thumbnail",
    operation_id="get_input_thumbnail",
    summary="Get the thumbnail of an input",
    response_class=Response,
    responses={200: JPEG, 304: NOT_MODIFIED}
    | errors("not-found", "not-built", "building", "invalid", "blob-lost"),
)
async def thumbnail(
    request: Request,
    scene: ReadableScene,
    index: Index,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """A small picture of an input."""
    view = await _view(scenes, scene, index)
    return await _stored(request, blobs, view.thumbnail_sha256, "image/jpeg")


@inputs.get(
    "/{scene_id}/thumbnail",
    operation_id="get_scene_thumbnail",
    summary="Get the thumbnail of a scene",
    response_class=Response,
    responses={200: JPEG, 304: NOT_MODIFIED}
    | errors("not-found", "not-built", "building", "blob-lost"),
)
async def scene_thumbnail(
    request: Request,
    scene: ReadableScene,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """A small picture of the first input."""
    view = await _view(scenes, scene, 0)
    return await _stored(request, blobs, view.thumbnail_sha256, "image/jpeg")


@inputs.get(
    "/{scene_id}/held-out",
    operation_id="get_held_out",
    summary="Get the picture of the views that were held out",
    response_class=Response,
    responses={200: PNG, 304: NOT_MODIFIED}
    | errors("not-found", "not-built", "building", "blob-lost"),
)
async def held_out(
    request: Request,
    scene: ReadableScene,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """Held-out photographs, renders, errors and nearest inputs, a row each."""
    built_file(scene)
    if scene.sheet_sha256 is None:
        raise not_found(
            "held-out view of this scene",
            remedy=f'POST /v1/scenes/{scene.id}/build with {{"holdout": 8}}.',
        )
    return await _stored(request, blobs, scene.sheet_sha256, "image/png")


async def _view(scenes: SceneStore, scene: SceneRecord, index: int) -> InputRecord:
    built_file(scene)
    views = await run_in_threadpool(scenes.inputs, scene.id)
    if index >= len(views):
        raise not_found(
            f"input {index}", remedy=f"The scene has the inputs 0 to {len(views) - 1}."
        )
    return views[index]


async def _stored(
    request: Request, blobs: Blobs, sha256: str, media_type: str
) -> Response:
    path = await run_in_threadpool(blobs.local_path, sha256)
    return await blob_response(request, blobs, sha256, path.stat().st_size, media_type)


router = APIRouter()
router.include_router(files)
router.include_router(inputs)
