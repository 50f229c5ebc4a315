"""The inputs of a built scene, as the network saw them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.scenes import Input, Inputs
from nvs_server.access.dependencies import BlobStore, Reader, Scenes
from nvs_server.access.principal import Principal
from nvs_server.problems import not_found
from nvs_server.routes.dependencies import SceneId, built_file, errors, find_scene
from nvs_server.routes.downloads import blob_response
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import InputRecord
from nvs_server.storage.scenes import SceneStore

Index = Annotated[int, Path(ge=0, description="Place among the inputs, from 0.")]
PNG = {"content": {"image/png": {}}, "description": "The picture."}
JPEG = {"content": {"image/jpeg": {}}, "description": "The thumbnail."}
NOT_MODIFIED = {"description": "The picture that If-None-Match names is still right."}

router = APIRouter(tags=["inputs"])


@router.get(
    "/{scene_id}/inputs",
    operation_id="list_inputs",
    summary="List the inputs of a built scene",
    response_description="The inputs by index.",
    responses=errors("not-found", "not-built", "building"),
)
async def list_all(scene_id: SceneId, caller: Reader, scenes: Scenes) -> Inputs:
    """Cameras of the inputs, in the user's world, for the images the network saw."""
    scene = await find_scene(scenes, caller, scene_id)
    built_file(scene)
    assert scene.height is not None
    assert scene.width is not None
    views = await run_in_threadpool(scenes.inputs, scene_id)
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


@router.get(
    "/{scene_id}/inputs/{index}",
    operation_id="get_input",
    summary="Get an input picture",
    response_class=Response,
    responses={200: PNG, 304: NOT_MODIFIED}
    | errors("not-found", "not-built", "building", "invalid", "blob-lost"),
)
async def picture(
    request: Request,
    scene_id: SceneId,
    index: Index,
    caller: Reader,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """An input as the network saw it; an uploaded scene file keeps thumbnails only."""
    view = await _view(scenes, caller, scene_id, index)
    if view.sha256 is None:
        raise not_found(
            f"picture of input {index}: the scene file was uploaded",
            remedy=f"GET /v1/scenes/{scene_id}/inputs/{index}/thumbnail.",
        )
    return await _stored(request, blobs, view.sha256, "image/png")


@router.get(
    "/{scene_id}/inputs/{index}/thumbnail",
    operation_id="get_input_thumbnail",
    summary="Get the thumbnail of an input",
    response_class=Response,
    responses={200: JPEG, 304: NOT_MODIFIED}
    | errors("not-found", "not-built", "building", "invalid", "blob-lost"),
)
async def thumbnail(
    request: Request,
    scene_id: SceneId,
    index: Index,
    caller: Reader,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """A small picture of an input."""
    view = await _view(scenes, caller, scene_id, index)
    return await _stored(request, blobs, view.thumbnail_sha256, "image/jpeg")


@router.get(
    "/{scene_id}/thumbnail",
    operation_id="get_scene_thumbnail",
    summary="Get the thumbnail of a scene",
    response_class=Response,
    responses={200: JPEG, 304: NOT_MODIFIED}
    | errors("not-found", "not-built", "building", "blob-lost"),
)
async def scene_thumbnail(
    request: Request,
    scene_id: SceneId,
    caller: Reader,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """A small picture of the first input."""
    view = await _view(scenes, caller, scene_id, 0)
    return await _stored(request, blobs, view.thumbnail_sha256, "image/jpeg")


async def _view(
    scenes: SceneStore, caller: Principal, scene_id: str, index: int
) -> InputRecord:
    built_file(await find_scene(scenes, caller, scene_id))
    views = await run_in_threadpool(scenes.inputs, scene_id)
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
