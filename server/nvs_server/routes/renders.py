"""Pictures of a scene: one, or several in an archive."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from dataclasses import replace
from typing import IO, Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import StreamingResponse

from nvs.api.renders import RenderRequest, RendersRequest
from nvs_server.compute.orders import Picture
from nvs_server.edge.admission import AdmittedRoute
from nvs_server.edge.connections import run_while_connected
from nvs_server.edge.problems import Problem, invalid
from nvs_server.routes.dependencies import (
    JSON_BODY,
    BlobStore,
    MetricsDep,
    RenderableScene,
    SettingsDep,
    binary,
    errors,
)
from nvs_server.routes.pictures import PACKINGS, Packing, Pictures
from nvs_server.storage.blobs import Blobs

GROUP = 8
"""Pictures of a batch that are asked for at once; other renders come in between."""
CHUNK_BYTES = 2**18
PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")
CAN_FAIL = (
    *(*JSON_BODY, "not-found", "not-built", "building"),
    *("queue-full", "worker-lost", "scene-damaged"),
)


async def _pictures(connection: HTTPConnection) -> Pictures:
    state = connection.app.state
    return Pictures(
        state.settings,
        state.scenes,
        state.jobs,
        state.blobs,
        state.backend,
        state.runner,
    )


PicturesDep = Annotated[Pictures, Depends(_pictures)]

router = APIRouter(prefix="/v1/scenes", tags=["renders"], route_class=AdmittedRoute)


@router.post(
    "/{scene_id}/render",
    operation_id="render",
    summary="Render a picture",
    response_class=Response,
    responses={
        200: {
            "content": binary(*PICTURE_TYPES),
            "description": "The picture; Server-Timing says where the time went.",
            "headers": {
                "Server-Timing": {
                    "description": "queue, load, model, encode in milliseconds",
                    "schema": {"type": "string"},
                },
                "NVS-Cache-Tier": {
                    "description": "where the scene was: device, host or disk",
                    "schema": {"type": "string"},
                },
                "NVS-Height": {"schema": {"type": "integer"}},
                "NVS-Width": {"schema": {"type": "integer"}},
            },
        }
    }
    | errors(*CAN_FAIL),
)
async def render(
    request: Request,
    scene: RenderableScene,
    body: RenderRequest,
    pictures: PicturesDep,
    metrics: MetricsDep,
) -> Response:
    """Render what a camera sees.

    A client that goes away gives up its place. `float32` is raw little-endian
    height × width × 3 in [0, 1], of the size in NVS-Height and NVS-Width.
    """
    order = await pictures.order(scene, [body.camera], body)
    (picture,) = await run_while_connected(request, pictures.render(scene, order))
    metrics.rendered(picture.timings, picture.tier, via="render")
    headers = _headers(picture)
    return Response(picture.data, media_type=picture.media_type, headers=headers)


@router.post(
    "/{scene_id}/renders",
    operation_id="render_batch",
    summary="Render several pictures",
    response_class=Response,
    responses={
        200: {
            "content": binary(*PACKINGS),
            "description": "Pictures `00000.png`, `00001.png`, … in the given order.",
        }
    }
    | errors(*CAN_FAIL, "not-acceptable", "disk-full"),
)
async def render_batch(
    request: Request,
    scene: RenderableScene,
    body: RendersRequest,
    blobs: BlobStore,
    pictures: PicturesDep,
    metrics: MetricsDep,
    settings: SettingsDep,
    accept: Annotated[
        str, Header(description="application/zip (default) or multipart/mixed")
    ] = "*/*",
) -> Response:
    """Render cameras of one size into a zip file or a multipart body.

    At most 64, unless the operator allows another number.
    """
    packing = _packing(accept)
    if len(body.cameras) > settings.max_batch_cameras:
        raise invalid(
            "cameras",
            f"{len(body.cameras)} cameras are over the limit",
            remedy=f"Send at most {settings.max_batch_cameras} at a time.",
        )
    order = await pictures.order(scene, body.cameras, body)

    async def packed() -> IO[bytes]:
        file = await run_in_threadpool(_spool, blobs)
        sink = packing(file)
        for start in range(0, len(order.cameras), GROUP):
            group = order.cameras[start : start + GROUP]
            rendered = await pictures.render(scene, replace(order, cameras=group))
            for index, picture in enumerate(rendered, start):
                metrics.rendered(picture.timings, picture.tier, via="batch")
                await run_in_threadpool(sink.add, index, picture)
        await run_in_threadpool(sink.finish)
        return file

    file = await run_while_connected(request, packed())
    num_bytes = file.tell()
    file.seek(0)
    return StreamingResponse(
        _chunks(file),
        media_type=packing.media_type,
        headers={"Content-Length": str(num_bytes)},
    )


def _headers(picture: Picture) -> dict[str, str]:
    timings = {
        name.removesuffix("_ms"): milliseconds
        for name, milliseconds in picture.timings.model_dump().items()
    }
    return {
        "Server-Timing": ", ".join(
            f"{name};dur={milliseconds:.3f}" for name, milliseconds in timings.items()
        ),
        "NVS-Cache-Tier": picture.tier,
        "NVS-Height": str(picture.height),
        "NVS-Width": str(picture.width),
        "Cache-Control": "no-store",
    }


def _packing(accept: str) -> type[Packing]:
    """The first packing that the client takes, in the client's order.

    Raises:
        Problem: `not-acceptable`, 406.
    """
    for part in accept.split(","):
        wanted = part.partition(";")[0].strip().lower()
        for name, packing in PACKINGS.items():
            if wanted in (name, f"{name.partition('/')[0]}/*", "*/*"):
                return packing
    raise Problem("not-acceptable", f"Accept is {accept[:80]!r}.")


def _spool(blobs: Blobs) -> IO[bytes]:
    """A file without a name: pictures wait on the disk, not in memory."""
    return tempfile.TemporaryFile(dir=blobs.incoming())


def _chunks(file: IO[bytes]) -> Generator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
