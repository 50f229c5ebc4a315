"""Cameras of a scene: uploaded in any known layout, and what they say."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from nvs.api.names import check_file_name
from nvs.api.scenes import CamerasReport
from nvs.errors import CameraError, DatasetError
from nvs.file_kinds import CAMERA_SUFFIXES, is_camera_name
from nvs_server.compute.protocol import Backend
from nvs_server.edge.archives import ArchiveLimits, unpack
from nvs_server.edge.connections import run_while_connected
from nvs_server.edge.problems import Problem, not_found
from nvs_server.jobs.materialise import (
    MAX_FRAME_FILE_BYTES,
    Locate,
    materialise,
    work_folder,
)
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
    errors,
)
from nvs_server.routes.transfer import Received, check_room, media_type, received
from nvs_server.settings import MAX_CAMERAS_BYTES
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import FileRecord

JSON_TYPE, ZIP_TYPE = "application/json", "application/zip"
"""Files of COLMAP models that say nothing about cameras."""
MAX_SHOWN = 80
MAX_CAMERA_FILES = 1000
EXAMPLE = [
    {
        "file_path": "images/0001.jpg",
        "w2c": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2.5], [0, 0, 0, 1]],
        "w": 640,
        "h": 480,
        "fx": 600.0,
        "fy": 600.0,
        "cx": 320.0,
        "cy": 240.0,
    }
]
BODY = {
    "requestBody": {
        "required": True,
        "content": {JSON_TYPE: {"schema": {}, "example": EXAMPLE}},
        "description": f"One camera file; or, as {ZIP_TYPE}, an archive of several.",
    }
}

router = APIRouter(tags=["cameras"])


@router.put(
    "/{scene_id}/cameras",
    operation_id="put_cameras",
    summary="Upload cameras",
    response_description="What they say, with the images uploaded so far.",
    openapi_extra=BODY,
    responses=errors(
        *(*FILE_BODY, "not-found", "building", "quota-exceeded"),
        *("queue-full", "worker-lost"),
    ),
)
async def put_cameras(
    request: Request,
    scene: WritableScene,
    caller: Writer,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    inspections: InspectionsDep,
) -> CamerasReport:
    """Upload camera files instead of all earlier ones.

    `application/json` takes the content of `opencv_cameras.json` or of
    `transforms.json`, recognised by itself; `application/zip` takes camera files of
    any layout. Frames name images by path; where no uploaded image has that path but
    exactly one has that base name, that one is meant.
    """
    kind = media_type(request, (JSON_TYPE, ZIP_TYPE))
    check_room(request, await run_in_threadpool(scenes.usage, caller.owner), caller)
    inspections.check_room()
    async with received(request, blobs) as body:
        with inspections.place(), work_folder(blobs) as folder:
            take = _take_json if kind == JSON_TYPE else _take_zip
            with shown_as(body.path, "the upload"):
                files = await run_in_threadpool(take, body, folder)
            images = await run_in_threadpool(scenes.files, scene.id, "image")
            _check_paths(images, files)
            there = [*images, *files]
            locate = located(files, folder, blobs)
            report = await read_cameras(request, blobs, backend, there, locate)
            for file in files:
                await run_in_threadpool(blobs.put_file, folder / file.path, file.sha256)
        await run_in_threadpool(
            scenes.replace_files,
            scene.id,
            files,
            kind="cameras",
            limit_bytes=caller.quotas.bytes,
        )
    return report


@router.get(
    "/{scene_id}/cameras",
    operation_id="get_cameras",
    summary="Get the report on the uploaded cameras",
    response_description="What they say, with the images uploaded so far.",
    responses=errors("not-found", "invalid", "blob-lost", "queue-full", "worker-lost"),
)
async def get_cameras(
    request: Request,
    scene: ReadableScene,
    scenes: Scenes,
    blobs: BlobStore,
    backend: BackendDep,
    inspections: InspectionsDep,
) -> CamerasReport:
    """The layout, the number of frames, and which of their images are missing."""
    files = await run_in_threadpool(scenes.files, scene.id)
    if not any(file.kind == "cameras" for file in files):
        raise not_found(
            "camera file in this scene",
            remedy=f"PUT /v1/scenes/{scene.id}/cameras uploads them.",
        )
    await request.body()
    with inspections.place():
        return await read_cameras(request, blobs, backend, files, blobs.local_path)


def located(files: Sequence[FileRecord], folder: Path, blobs: Blobs) -> Locate:
    """Where files are, some of which still lie in a folder and the rest are stored."""
    here = {file.sha256: folder / file.path for file in files}

    def locate(sha256: str) -> Path:
        return here.get(sha256) or blobs.local_path(sha256)

    return locate


async def read_cameras(
    request: Request,
    blobs: Blobs,
    backend: Backend,
    files: Sequence[FileRecord],
    locate: Locate,
) -> CamerasReport:
    """What the camera files among a scene's files say.

    The request's body must have been read.

    Raises:
        NvsError: Naming what is wrong with them.
        ClientDisconnect: If the client went away.
    """
    with work_folder(blobs) as folder, shown_as(folder, "the dataset"):
        await run_in_threadpool(materialise, files, locate, folder)
        return await run_while_connected(request, backend.inspect_cameras(folder))


def _take_zip(body: Received, folder: Path) -> list[FileRecord]:
    limits = ArchiveLimits(
        max_files=MAX_CAMERA_FILES,
        max_bytes=MAX_CAMERAS_BYTES,
        max_file_bytes=MAX_CAMERAS_BYTES,
    )
    unpacked = unpack(body.path, folder, limits, keep=is_camera_name)
    if not unpacked:
        raise DatasetError(
            "the zip file has no camera files",
            remedy=f"Put files of {', '.join(CAMERA_SUFFIXES)} into it; a zip file "
            "with images goes to /dataset.",
        )
    return [
        FileRecord(
            path=file.path, kind="cameras", sha256=file.sha256, num_bytes=file.num_bytes
        )
        for file in unpacked
    ]


def _take_json(body: Received, folder: Path) -> list[FileRecord]:
    if body.num_bytes > MAX_FRAME_FILE_BYTES:
        raise Problem(
            "too-large",
            f"The camera file has {body.num_bytes} bytes, over the limit of "
            f"{MAX_FRAME_FILE_BYTES}.",
            remedy="Leave out what is not needed, or send fewer frames.",
        )
    data = body.path.read_bytes()
    name = _file_name(_parsed(data))
    (folder / name).write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    return [FileRecord(path=name, kind="cameras", sha256=sha256, num_bytes=len(data))]


def _parsed(data: bytes) -> Any:
    def refuse(constant: str) -> None:
        raise CameraError(
            f"the camera file holds {constant}",
            remedy="Remove the frame or give it finite numbers.",
        )

    def finite(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            refuse(text[:MAX_SHOWN])
        return value

    try:
        return json.loads(data, parse_constant=refuse, parse_float=finite)
    except CameraError:
        raise
    except (ValueError, RecursionError) as error:
        raise Problem("malformed", f"The body is not valid JSON: {error}.") from error


def _file_name(content: Any) -> str:
    """The name of the layout's file, by what its frames hold."""
    frames = content.get("frames") if isinstance(content, dict) else content
    first = frames[0] if isinstance(frames, list) and frames else None
    if isinstance(first, dict):
        if "w2c" in first:
            return "opencv_cameras.json"
        if "transform_matrix" in first and isinstance(content, dict):
            return "transforms.json"
    raise DatasetError(
        "the cameras are in no known form",
        remedy="Send a list of frames with w2c (opencv_cameras.json), or an object "
        "whose frames have transform_matrix (transforms.json), or a zip file.",
    )


def _check_paths(images: Sequence[FileRecord], files: Sequence[FileRecord]) -> None:
    """Refuse a camera file that would take the place of an image."""
    taken = {image.path for image in images}
    for file in files:
        check_file_name(file.path)
        if file.path in taken:
            raise DatasetError(
                f"{file.path!r} is the name of an uploaded image",
                remedy="Rename the camera file, or delete the image.",
            )
