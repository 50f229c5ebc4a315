"""A stand-in for the service that answers at once with made-up pictures.

It serves the real page under its real policy. `POST /_control` sets how it behaves and
`GET /_control` says what it has seen, so that tests can bring about delays, reordering,
refusals and lost connections at will.

Run as a script: it listens on the given port.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import math
import struct
import sys
import zipfile
from dataclasses import asdict, dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse
from PIL import Image

from nvs_server.routes import pages

SCENE = "mfzwizltoqydcmrtgu3dqmrvge"
JOB = "orugs4zanfzsa5dimuqgc3tt4a"
NUM_INPUTS = 6
TIMINGS = {"queue_ms": 0.1, "load_ms": 0.0, "model_ms": 0.2, "encode_ms": 0.1}


@dataclass
class Behaviour:
    """What tests can change; the defaults answer everything at once."""

    height: int = 64
    width: int = 96
    poses: str = "object"
    key: str | None = None
    """The only valid key, or none is asked for."""
    scene_state: str = "ready"
    delays_ms: list[float] = field(default_factory=list)
    """Of stream pictures by sequence, repeated: the answers overtake each other."""
    stream_close: int | None = None
    """Close code of new streams."""
    pose_problem: str | None = None
    """Slug of the problem that every pose gets."""
    lost_uploads: int = 0
    """So many uploads end with 503 before one succeeds."""
    job_steps: int = 3
    job_state: str = "succeeded"
    has_photographs: bool = True
    num_scenes: int = 1
    """In the list; the first is the one that can be walked in."""
    error: dict[str, str] | None = None
    """Of a build that left the scene ready."""


behaviour = Behaviour()
seen: dict[str, Any] = {}
images: dict[str, dict[str, Any]] = {}
app = FastAPI()
sockets: set[WebSocket] = set()


def reset() -> None:
    images.clear()
    seen.clear()
    seen.update(
        most_in_flight=0,
        uploads=[],
        created=[],
        keys=[],
        cancelled=0,
        built=None,
        video=None,
    )


def problem(status: int, slug: str, **headers: str) -> JSONResponse:
    document = {
        "type": f"https://lact-nvs.dev/problems/{slug}",
        "title": slug,
        "status": status,
        "detail": f"This is {slug}.",
        "remedy": f"The remedy of {slug}.",
        "request_id": "1",
        "errors": [],
    }
    return JSONResponse(document, status, headers, "application/problem+json")


@app.middleware("http")
async def check_key(request: Request, call_next: Any) -> Response:
    given = request.headers.get("Authorization")
    if request.url.path.startswith("/v1/"):
        if given:
            seen["keys"].append(given)
        if behaviour.key and given != f"Bearer {behaviour.key}":
            return problem(401, "unknown-key" if given else "no-key")
    return await call_next(request)


@app.post("/_control")
async def control(request: Request) -> dict[str, Any]:
    changes = await request.json()
    if changes.pop("reset", False):
        reset()
        vars(behaviour).update(asdict(Behaviour()))
    if changes.pop("drop_streams", False):
        for socket in list(sockets):
            await socket.close(1012)
    vars(behaviour).update(changes)
    return asdict(behaviour)


@app.get("/_control")
async def state() -> dict[str, Any]:
    return seen


def scene() -> dict[str, Any]:
    return {
        "id": SCENE,
        "name": "ring",
        "tags": [],
        "state": behaviour.scene_state,
        "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z",
        "expires_at": None,
        "num_images": NUM_INPUTS,
        "has_cameras": True,
        "input_bytes": 1000,
        "scene_bytes": 2000 if behaviour.scene_state == "ready" else 0,
        "weights": "fake",
        "height": behaviour.height,
        "width": behaviour.width,
        "num_views": NUM_INPUTS,
        "job_id": JOB,
        "error": {"problem": "The cameras disagree.", "remedy": "Pose them again."}
        if behaviour.scene_state == "failed"
        else behaviour.error,
    }


@app.get("/v1/me")
async def me() -> dict[str, Any]:
    return {
        "owner": "ada",
        "key_name": "laptop",
        "scopes": ["read", "render", "write"],
        "quotas": {"scenes": None, "bytes": None, "builds_per_day": None},
        "usage": {"scenes": 1, "bytes": 3000, "builds_today": 0},
        "auth": "key" if behaviour.key else "open",
    }


@app.get("/v1/models")
async def models() -> dict[str, Any]:
    model = {
        "id": "fake",
        "is_default": True,
        "poses": behaviour.poses,
        "patch_size": 8,
        "num_parameters": 2_300_000,
        "digest": "0" * 64,
        "trained_height": 64,
        "trained_width": 96,
        "max_height": 1024,
        "max_width": 1024,
        "max_views": 64,
        "description": "Made-up pictures.",
    }
    other = model | {"id": "large", "is_default": False, "description": "Larger."}
    return {"items": [model, other]}


@app.post("/v1/tickets")
async def tickets() -> dict[str, Any]:
    return {"ticket": "ticket", "expires_in_seconds": 30}


@app.get("/v1/scenes")
async def scenes(limit: int, cursor: int = 0) -> dict[str, Any]:
    first = scene()
    others = [
        first | {"id": f"{number:026}", "name": f"scene {number}"}
        for number in range(1, behaviour.num_scenes)
    ]
    end = cursor + limit
    return {
        "items": [first, *others][cursor:end],
        "next_cursor": str(end) if end < behaviour.num_scenes else None,
    }


@app.post("/v1/scenes", status_code=201)
async def create(request: Request) -> dict[str, Any]:
    name = (await request.json())["name"]
    seen["created"].append(name)
    return scene() | {"name": name, "state": "empty", "num_images": 0}


@app.api_route("/v1/scenes/{scene_id}", methods=["GET", "PATCH", "DELETE"])
async def one(scene_id: str) -> Any:
    return scene() if scene_id == SCENE else problem(404, "not-found")


@app.get("/v1/scenes/{scene_id}/images")
async def list_images() -> dict[str, Any]:
    return {"items": list(images.values())}


@app.put("/v1/scenes/{scene_id}/images/{name:path}")
async def put_image(name: str, request: Request) -> Any:
    data = await request.body()
    seen["uploads"].append(name)
    if behaviour.lost_uploads > 0:
        behaviour.lost_uploads -= 1
        return problem(503, "draining", **{"Retry-After": "1"})
    digest = hashlib.sha256(data)
    images[name] = {
        "name": name,
        "sha256": digest.hexdigest(),
        "num_bytes": len(data),
        "height": 1,
        "width": 1,
    }
    return JSONResponse(images[name], 201)


@app.put("/v1/scenes/{scene_id}/dataset")
async def put_dataset(request: Request) -> Any:
    data = await request.body()
    seen["uploads"].append("dataset")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        num = sum(name.endswith(".png") for name in archive.namelist())
        seen["dataset"] = {name: len(archive.read(name)) for name in archive.namelist()}
    report = {"layout": "colmap", "num_frames": num, "num_missing": 0, "missing": []}
    return report | {"num_images": num}


@app.put("/v1/scenes/{scene_id}/file")
async def put_file(request: Request) -> dict[str, Any]:
    await request.body()
    seen["uploads"].append("file")
    return scene()


@app.put("/v1/scenes/{scene_id}/cameras")
async def put_cameras() -> dict[str, Any]:
    num = len(images)
    return {"layout": "opencv", "num_frames": num, "num_missing": 0, "missing": []}


@app.get("/v1/scenes/{scene_id}/validation")
async def validation() -> dict[str, Any]:
    finding = {
        "severity": "warning",
        "title": "blurred",
        "detail": "one view is blurred",
        "remedy": "Take it again or leave it out.",
        "views": ["00000.png"],
    }
    return {"verdict": "usable", "findings": [finding]}


def job(step: int) -> dict[str, Any]:
    is_over = step >= behaviour.job_steps or seen["cancelled"]
    final = "cancelled" if seen["cancelled"] else behaviour.job_state
    error = {"problem": "The cameras disagree.", "remedy": "Pose them again."}
    return {
        "id": JOB,
        "kind": "build",
        "scene_id": SCENE,
        "state": final if is_over else "running",
        "stage": "prefill",
        "progress": min(1.0, step / behaviour.job_steps),
        "eta_seconds": 4.2,
        "attempts": 1,
        "created_at": "2026-01-02T03:04:05Z",
        "started_at": "2026-01-02T03:04:05Z",
        "finished_at": None,
        "parameters": {},
        "error": error if is_over and final == "failed" else None,
        "result": None,
    }


@app.post("/v1/scenes/{scene_id}/build", status_code=202)
async def build(request: Request) -> dict[str, Any]:
    seen["built"] = await request.json()
    return job(0)


@app.post("/v1/scenes/{scene_id}/videos", status_code=202)
async def video(request: Request) -> dict[str, Any]:
    seen["video"] = await request.json()
    return job(0)


@app.get("/v1/jobs")
async def jobs() -> dict[str, Any]:
    return {"items": [], "next_cursor": None}


@app.get("/v1/jobs/{job_id}")
async def get_job() -> dict[str, Any]:
    return job(1)


@app.post("/v1/jobs/{job_id}/cancel")
async def cancel() -> dict[str, Any]:
    seen["cancelled"] += 1
    return job(1)


@app.get("/v1/jobs/{job_id}/events")
async def events() -> StreamingResponse:
    async def run() -> Any:
        step = 0
        while True:
            now = job(step)
            yield f"event: job\nid: {step}\ndata: {json.dumps(now)}\n\n"
            if now["state"] != "running":
                return
            step += 1
            await asyncio.sleep(0.1)

    return StreamingResponse(run(), media_type="text/event-stream")


@app.get("/v1/jobs/{job_id}/result")
async def result() -> Response:
    return Response(b"made-up mp4", media_type="video/mp4")


def camera(index: int) -> dict[str, Any]:
    """On a ring about the origin, z up."""
    angle = 2 * math.pi * index / NUM_INPUTS
    cos, sin = math.cos(angle), math.sin(angle)
    return {
        "world_from_camera": [
            [-sin, 0.0, -cos, 2.5 * cos],
            [cos, 0.0, -sin, 2.5 * sin],
            [0.0, -1.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ],
        "fx": 80.0 / 96 * behaviour.width,
        "fy": 80.0 / 64 * behaviour.height,
        "cx": behaviour.width / 2,
        "cy": behaviour.height / 2,
    }


@app.get("/v1/scenes/{scene_id}/inputs")
async def inputs() -> dict[str, Any]:
    size = {"height": behaviour.height, "width": behaviour.width}
    items = [
        {"index": i, "name": f"{i:05}.png", "camera": camera(i), **size}
        for i in range(NUM_INPUTS)
    ]
    return {"items": items}


def picture(colour: tuple[int, int, int], height: int, width: int, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(stream, kind, quality=95)
    return stream.getvalue()


@app.get("/v1/scenes/{scene_id}/inputs/{index}")
async def photograph(index: int) -> Response:
    if not behaviour.has_photographs:
        return problem(404, "not-found")
    data = picture((200, 40 * index, 0), behaviour.height, behaviour.width, "png")
    return Response(data, media_type="image/png")


@app.get("/v1/scenes/{scene_id}/thumbnail")
@app.get("/v1/scenes/{scene_id}/inputs/{index}/thumbnail")
async def thumbnail(index: int = 0) -> Response:
    return Response(
        picture((200, 40 * index, 0), 48, 48, "jpeg"), media_type="image/jpeg"
    )


@app.get("/v1/scenes/{scene_id}/file")
async def file() -> Response:
    return Response(b"made-up scene", media_type="application/octet-stream")


@app.post("/v1/scenes/{scene_id}/render")
async def render(request: Request) -> Response:
    order = await request.json()
    data = picture(colour_of_pose(order), order["height"], order["width"], "png")
    return Response(data, media_type="image/png")


def colour_of_pose(order: dict[str, Any]) -> tuple[int, int, int]:
    """The same for the same camera, by stream and by POST."""
    camera = order["camera"]
    pose = [number for row in camera["world_from_camera"] for number in row]
    numbers = [*pose, camera["fx"], camera["fy"]]
    text = " ".join(f"{number + 0.0:.6f}" for number in numbers)
    digest = hashlib.sha256(text.replace("-0.000000", "0.000000").encode()).digest()
    return digest[0], digest[1], digest[2]


prepared: dict[tuple[int, int], bytes] = {}


def streamed(order: dict[str, Any]) -> bytes:
    """A settled picture as `render` makes it; in motion one prepared for its size."""
    if order["format"] == "png":
        data = picture(colour_of_pose(order), order["height"], order["width"], "png")
    else:
        size = (order["height"], order["width"])
        if size not in prepared:
            stream = io.BytesIO()
            image = Image.radial_gradient("L").resize(size[::-1]).convert("RGB")
            image.save(stream, "jpeg", quality=80)
            prepared[size] = stream.getvalue()
        data = prepared[size]
    header = {
        "sequence": order["sequence"],
        "height": order["height"],
        "width": order["width"],
        "format": order["format"],
        "timings": TIMINGS,
        "tier": "device",
    }
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + data


@app.websocket("/v1/scenes/{scene_id}/stream")
async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    if behaviour.stream_close:
        await websocket.close(behaviour.stream_close)
        return
    sockets.add(websocket)
    ready = {"type": "ready", "scene": scene(), "max_in_flight": 2}
    await websocket.send_text(json.dumps(ready))
    in_flight: set[asyncio.Task[None]] = set()
    try:
        while True:
            order = json.loads(await websocket.receive_text())
            if "type" in order:
                await websocket.send_text('{"type": "pong"}')
                continue
            task = asyncio.create_task(answer(websocket, order))
            in_flight.add(task)
            task.add_done_callback(in_flight.discard)
            seen["most_in_flight"] = max(seen["most_in_flight"], len(in_flight))
    except WebSocketDisconnect:
        for task in in_flight:
            task.cancel()
    finally:
        sockets.discard(websocket)


async def answer(websocket: WebSocket, order: dict[str, Any]) -> None:
    sequence = order["sequence"]
    if behaviour.pose_problem:
        document = json.loads(bytes(problem(429, behaviour.pose_problem).body))
        message = {"type": "problem", "sequence": sequence, "problem": document}
        await websocket.send_text(json.dumps(message))
        return
    if behaviour.delays_ms:
        delays = behaviour.delays_ms
        await asyncio.sleep(delays[sequence % len(delays)] / 1000)
    await websocket.send_bytes(streamed(order))


app.include_router(pages.router)
pages.mount(app)

if __name__ == "__main__":
    reset()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        ws_per_message_deflate=False,
    )
