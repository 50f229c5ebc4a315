"""A whole dataset in one upload, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import WeightsId
from nvs.api.scenes import DatasetReport, Validation
from nvs.errors import DatasetError
from nvs.file_kinds import IMAGE_SUFFIXES, is_camera_name, is_image_name
from nvs_server.compute.protocol import Backend
from nvs_server.edge.archives import ArchiveLimits, UnpackedFile, unpack
from nvs_server.edge.connections import run_while_connected
from nvs_server.edge.problems import Problem
from nvs_server.jobs.materialise import materialise, work_folder
from nvs_server.naming import about, shown_as
from nvs_server.routes.cameras import (
    ZIP_TYPE,
    located,
    read_cameras,
)
from nvs_server.routes.dependencies import (
    FILE_BODY,
    BackendDep,
    BlobStore,
    InspectionsDep,
    ReadableScene,
    Scenes,
    SettingsDep,
    WritableScene,
    Writer,
    binary,
    errors,
    required_model,
)
from nvs_server.routes.transfer import check_room, media_type, received
from nvs_server.settings import Settings
from nvs_server.storage.records import FileRecord, SceneRecord

OTHER_FILES = 1000
"""Files of an archive beside its images: cameras, and what is left out."""
BODY = {
    "requestBody": {
        "required": True,
        "content": binary(ZIP_TYPE),
    }
}

router = APIRouter(tags=["datasets"])


@router.put(
    "/{scene_id}/dataset",
    operation_id="put_dataset",
    summary="Upload a whole dataset",
    response_description="What it holds.",
    openapi_extra=BODY,
    responses=errors(
        *(*FILE_BODY, "not-found", "building", "quota-exceeded"),
        *("queue-full", "worker-lost"),
    ),
)
async def put_dataset(
    request: Request,
    scene: WritableScene,
    caller: Writer,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    settings: SettingsDep,
    inspections: InspectionsDep,
) -> DatasetReport:
    """Upload images and camera files as one zip file, instead of all earlier files.

    One folder around them all is left out. Every image is decoded and checked; if
    anything is wrong with one, nothing is changed.
    """
    media_type(request, (ZIP_TYPE,))
    usage = await run_in_threadpool(scenes.usage, caller.owner)
    check_room(request, usage, caller, replaced_bytes=scene.input_bytes)
    inspections.check_room()
    async with received(request, blobs) as body:
        with inspections.place(), work_folder(blobs) as folder:
            with shown_as(body.path, "the upload"):
                unpacked = await run_in_threadpool(
                    unpack, body.path, folder, _limits(settings), keep=_is_wanted
                )
            files = await run_while_connected(
                request, _inspected(backend, folder, unpacked, settings)
            )
            locate = located(files, folder, blobs)
            report = await read_cameras(request, blobs, backend, files, locate)
            for file in files:
                await run_in_threadpool(blobs.put_file, folder / file.path, file.sha256)
    await run_in_threadpool(
        scenes.replace_files, scene.id, files, limit_bytes=caller.quotas.bytes
    )
    num_images = sum(file.kind == "image" for file in files)
    return DatasetReport(**report.model_dump(), num_images=num_images)


@router.get(
    "/{scene_id}/validation",
    operation_id="validate_scene",
    summary="Validate the uploaded dataset",
    response_description="What is wrong with it.",
    responses=errors(
        *("not-found", "inputs-missing", "invalid", "blob-lost"),
        *("queue-full", "worker-lost"),
    ),
)
async def validate(
    request: Request,
    scene: ReadableScene,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    inspections: InspectionsDep,
    weights: Annotated[
        WeightsId | None, Query(description="Id of a model; the default one.")
    ] = None,
) -> Validation:
    """Check images and cameras as a model needs them, before a build."""
    check_inputs(scene)
    files = await run_in_threadpool(scenes.files, scene.id)
    model = await required_model(backend, weights)
    await request.body()
    with (
        inspections.place(),
        work_folder(blobs) as folder,
        shown_as(folder, "the dataset"),
    ):
        await run_in_threadpool(materialise, files, blobs.local_path, folder)
        checking = backend.validate(folder, weights=model.id)
        return await run_while_connected(request, checking)


def check_inputs(scene: SceneRecord) -> None:
    """Refuse work on a scene that lacks images or cameras.

    Raises:
        Problem: `inputs-missing`, 409.
    """
    if scene.num_images and scene.has_cameras:
        return
    there = f"{scene.num_images} images" if scene.num_images else "no images"
    cameras = "cameras" if scene.has_cameras else "no cameras"
    scene_path = f"/v1/scenes/{scene.id}"
    remedy = f"PUT {scene_path}/images/{{name}} first."
    if scene.num_images or scene.has_video:
        remedy = f"PUT {scene_path}/cameras first, or POST {scene_path}/pose."
    raise Problem(
        "inputs-missing",
        f"The scene has {there} and {cameras}.",
        remedy=remedy,
    )


def _limits(settings: Settings) -> ArchiveLimits:
    return ArchiveLimits(
        max_files=2 * settings.max_images + OTHER_FILES,
        max_bytes=settings.max_dataset_bytes,
        max_file_bytes=settings.max_image_bytes,
    )


def _is_wanted(name: str) -> bool:
    return is_image_name(name) or is_camera_name(name)


async def _inspected(
    backend: Backend,
    folder: Path,
    unpacked: Sequence[UnpackedFile],
    settings: Settings,
) -> list[FileRecord]:
    """The unpacked files as records; every image is decoded once.

    Raises:
        DatasetError, ImageError: Naming the file.
    """
    num_images = sum(is_image_name(file.path) for file in unpacked)
    if num_images > settings.max_images:
        raise DatasetError(
            f"the dataset has {num_images} images, over the limit of "
            f"{settings.max_images}",
            remedy="Send fewer; the operator can raise NVS_MAX_IMAGES.",
        )
    if num_images == 0:
        raise DatasetError(
            "the zip file has no images",
            remedy=f"Put files of {', '.join(IMAGE_SUFFIXES)} into it.",
        )
    files: list[FileRecord] = []
    for file in unpacked:
        size = None
        if is_image_name(file.path):
            with about(file.path):
                size = await backend.inspect_image(folder / file.path)
        files.append(
            FileRecord(
                path=file.path,
                kind="cameras" if size is None else "image",
                sha256=file.sha256,
                num_bytes=file.num_bytes,
                height=None if size is None else size.height,
                width=None if size is None else size.width,
            )
        )
    return files
