"""Images of a scene: uploaded one by one, listed, read back, deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from nvs.api.names import check_file_name
from nvs.api.scenes import ImageFile, ImageFiles
from nvs.file_kinds import IMAGE_TYPES, image_type
from nvs_server.edge.connections import run_while_connected
from nvs_server.edge.problems import Problem, invalid, not_found
from nvs_server.naming import about
from nvs_server.routes import cameras, datasets, masks, posing, scene_files
from nvs_server.routes.dependencies import (
    FILE_BODY,
    BackendDep,
    BlobStore,
    ReadableScene,
    Scenes,
    SettingsDep,
    WritableScene,
    Writer,
    binary,
    errors,
)
from nvs_server.routes.transfer import (
    blob_response,
    check_room,
    media_type,
    received,
)
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import BlobDamaged, BlobMissing
from nvs_server.storage.records import FileRecord

ImageName = Annotated[
    str,
    Path(
        description="Relative POSIX path of the image within the scene, at most 1024 "
        "bytes, 255 a folder; camera files name images by it.",
        examples=["images/0001.jpg"],
    ),
]
ANY_TYPE = "application/octet-stream"
IMAGE_BODY = {
    "requestBody": {
        "required": True,
        "content": binary(ANY_TYPE),
        "description": "The file. Content-Type may also be that of the image, which is "
        f"then checked: {', '.join(IMAGE_TYPES)}.",
    }
}

router = APIRouter(prefix="/v1/scenes", tags=["images"])


@router.put(
    "/{scene_id}/images/{name:path}",
    status_code=201,
    operation_id="put_image",
    summary="Upload an image",
    response_description="The image is new.",
    openapi_extra=IMAGE_BODY,
    responses={
        200: {"model": ImageFile, "description": "It was there, or replaces one."}
    }
    | errors(*FILE_BODY, "not-found", "building", "quota-exceeded", "worker-lost"),
)
async def put_image(
    request: Request,
    response: Response,
    scene: WritableScene,
    name: ImageName,
    caller: Writer,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    settings: SettingsDep,
) -> ImageFile:
    """Upload one image, decoded and checked before it is taken.

    A Content-Digest (RFC 9530, `sha-256=:<base64>:`) is verified. Uploading the same
    bytes again changes nothing, so that an upload can simply be repeated.
    """
    check_file_name(name, "the image name")
    declared = media_type(request, (*IMAGE_TYPES, ANY_TYPE))
    old = await run_in_threadpool(scenes.file, scene.id, name)
    if old is None and scene.num_images >= settings.max_images:
        raise invalid(
            "name",
            f"the scene has {scene.num_images} images, as many as it may have",
            remedy="Delete images first; the operator can raise NVS_MAX_IMAGES.",
        )
    if old is not None and old.kind != "image":
        raise invalid("name", f"{name!r} is no image", remedy="Use another name.")
    usage = await run_in_threadpool(scenes.usage, caller.owner)
    check_room(request, usage, caller, replaced_bytes=old.num_bytes if old else 0)
    async with received(request, blobs) as body:
        if old is not None and old.sha256 == body.sha256:
            if await run_in_threadpool(_is_whole, blobs, body.sha256):
                response.status_code = 200
                return ImageFile.model_validate(old)
        found = await run_in_threadpool(image_type, body.path)
        if found is not None and declared not in (found, ANY_TYPE):
            raise Problem(
                "media-type",
                f"Content-Type is {declared}, but {name!r} is {found}.",
                remedy=f"Send it as {found}.",
            )
        with about(name):
            size = await run_while_connected(request, backend.inspect_image(body.path))
        file = FileRecord(
            path=name,
            kind="image",
            sha256=body.sha256,
            num_bytes=body.num_bytes,
            height=size.height,
            width=size.width,
        )
        await run_in_threadpool(blobs.put_file, body.path, body.sha256)
        is_new = await run_in_threadpool(
            scenes.put_file, scene.id, file, limit_bytes=caller.quotas.bytes
        )
    response.status_code = 201 if is_new else 200
    return ImageFile.model_validate(file)


@router.get(
    "/{scene_id}/images",
    operation_id="list_images",
    summary="List uploaded images",
    response_description="Every image, by name.",
    responses=errors("not-found"),
)
async def list_images(scene: ReadableScene, scenes: Scenes) -> ImageFiles:
    """Names and digests: an interrupted upload goes on with what is not here."""
    files = await run_in_threadpool(scenes.files, scene.id, "image")
    return ImageFiles(items=[ImageFile.model_validate(file) for file in files])


@router.get(
    "/{scene_id}/images/{name:path}",
    operation_id="get_image",
    summary="Get an uploaded image",
    response_class=Response,
    responses={
        200: {
            "content": binary(*IMAGE_TYPES),
            "description": "The bytes as uploaded.",
        },
        206: {"description": "The range that was asked for."},
        304: {"description": "The image that If-None-Match names is still right."},
    }
    | errors("not-found", "range", "blob-lost"),
)
async def get_image(
    request: Request,
    scene: ReadableScene,
    name: ImageName,
    scenes: Scenes,
    blobs: BlobStore,
) -> Response:
    """The bytes of an image as uploaded."""
    file = await run_in_threadpool(scenes.file, scene.id, name)
    if file is None or file.kind != "image":
        raise _no_image(scene.id, name)
    path = await run_in_threadpool(blobs.local_path, file.sha256)
    media = await run_in_threadpool(image_type, path)
    return await blob_response(
        *(request, blobs, file.sha256, file.num_bytes),
        media or ANY_TYPE,
    )


@router.delete(
    "/{scene_id}/images/{name:path}",
    status_code=204,
    operation_id="delete_image",
    summary="Delete an uploaded image",
    response_description="It is gone.",
    responses=errors("not-found", "building", "disk-full"),
)
async def delete_image(scene: WritableScene, name: ImageName, scenes: Scenes) -> None:
    """Delete one image."""
    file = await run_in_threadpool(scenes.file, scene.id, name)
    if file is None or file.kind != "image":
        raise _no_image(scene.id, name)
    await run_in_threadpool(scenes.delete_file, scene.id, name)


def _is_whole(blobs: Blobs, sha256: str) -> bool:
    try:
        blobs.verify(sha256)
    except (BlobMissing, BlobDamaged):
        return False
    return True


def _no_image(scene_id: str, name: str) -> Problem:
    return not_found(
        f"image {name[:255]!r} in this scene",
        remedy=f"GET /v1/scenes/{scene_id}/images lists them.",
    )


for part in (cameras, datasets, masks, posing, scene_files):
    router.include_router(part.router)
