"""The render stream, poses in, pictures out, over one WebSocket: the latest pose wins.

At most `MAX_IN_FLIGHT` poses are rendered at a time and one waits; a newer pose takes
the place of the waiting one, which is reported dropped. So a client may send a pose
for every movement of a mouse, and sees the newest as soon as it can be had.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from typing import Any

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from nvs.api.stream import (
    FrameHeader,
    Ping,
    Pong,
    StreamDropped,
    StreamProblem,
    StreamReady,
    StreamRender,
)
from nvs_server.compute.orders import Picture
from nvs_server.edge.admission import Admission
from nvs_server.edge.callers import Principal
from nvs_server.edge.problems import Problem, as_problem
from nvs_server.logs import logger
from nvs_server.metrics import Metrics
from nvs_server.routes.dependencies import (
    AdmissionDep,
    Keys,
    MetricsDep,
    RenderCaller,
    Scenes,
    SettingsDep,
    find_scene,
)
from nvs_server.routes.pictures import Pictures
from nvs_server.routes.renders import PicturesDep
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.records import SceneRecord
from nvs_server.storage.scenes import SceneStore

MAX_IN_FLIGHT = 2
IDLE_SECONDS = 120.0
"""A client that is silent for so long is disconnected; a ping keeps it."""
MAX_MESSAGES_PER_SECOND = 240
FATAL = ("not-found", "draining", "unknown-key")
"""Problems of a pose that end the stream."""

log = logger(__name__)


class StreamSession:
    """Reads poses of one accepted WebSocket and answers them.

    Args:
        websocket: The connection.
        scene: The scene, as it was at the start.
        caller: Who asks.
        keys: Where the caller's key is looked up for each pose.
        scenes: Where the scene is looked up for each pose.
        pictures: Who renders.
        admission: Each render takes a place of it.
        metrics: Told of pictures and of dropped poses.
        max_message_bytes: Longest message that is read.
    """

    def __init__(
        self,
        websocket: WebSocket,
        scene: SceneRecord,
        caller: Principal,
        keys: KeyStore,
        scenes: SceneStore,
        pictures: Pictures,
        admission: Admission,
        metrics: Metrics,
        *,
        max_message_bytes: int,
    ) -> None:
        self._websocket = websocket
        self._scene = scene
        self._caller = caller
        self._keys = keys
        self._scenes = scenes
        self._pictures = pictures
        self._admission = admission
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes
        self._waiting: StreamRender | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._sending = asyncio.Lock()
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._window_started = 0.0
        self._window_messages = 0

    async def run(self) -> None:
        """Serve until the client leaves.

        Raises:
            Problem: If the service ends the stream.
        """
        ready = StreamReady(scene=self._scene, max_in_flight=MAX_IN_FLIGHT)
        await self._send_text(ready.model_dump_json())
        reading = asyncio.ensure_future(self._read())
        draining = asyncio.ensure_future(self._admission.draining.wait())
        try:
            await asyncio.wait(
                (reading, draining, self._end), return_when=asyncio.FIRST_COMPLETED
            )
            if self._end.done():
                self._end.result()
            if reading.done():
                reading.result()
            if draining.done():
                raise Problem("draining")
        except WebSocketDisconnect:
            return
        finally:
            tasks = (reading, draining, *self._in_flight)
            for task in tasks:
                task.cancel()
            self._end.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()

    async def _read(self) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    message = await self._websocket.receive()
            except TimeoutError as error:
                raise Problem(
                    "body-timeout",
                    f"Nothing came for {IDLE_SECONDS:g} s.",
                    remedy='Send {"type": "ping"} now and then, or connect again.',
                ) from error
            if message["type"] == "websocket.disconnect":
                return
            self._check_rate()
            await self._take(message.get("text"))

    def _check_rate(self) -> None:
        now = time.monotonic()
        if now - self._window_started >= 1:
            self._window_started, self._window_messages = now, 0
        self._window_messages += 1
        if self._window_messages > MAX_MESSAGES_PER_SECOND:
            raise Problem(
                "rate-limited",
                f"More than {MAX_MESSAGES_PER_SECOND} messages came in a second.",
                remedy="Send a pose at most once for each picture shown.",
                retry_after_seconds=1,
            )

    async def _take(self, text: str | None) -> None:
        """Answer one message, or have it answered."""
        sequence: int | None = None
        try:
            content = self._parsed(text)
            if isinstance(content, dict) and isinstance(content.get("sequence"), int):
                sequence = content["sequence"]
            if isinstance(content, dict) and "type" in content:
                Ping.model_validate(content)
                await self._send_text(Pong().model_dump_json())
                return
            pose = StreamRender.model_validate(content)
        except ValidationError as error:
            found: list[Any] = error.errors(include_url=False)
            named = [one | {"loc": ("message", *one["loc"])} for one in found]
            await self._send_problem(
                as_problem(RequestValidationError(named)), sequence
            )
        except Problem as problem:
            await self._send_problem(problem, sequence)
        else:
            await self._submit(pose)

    def _parsed(self, text: str | None) -> Any:
        if text is None:
            raise Problem(
                "malformed", "The message is binary.", remedy="Send JSON text."
            )
        if len(text) > self._max_message_bytes:
            raise Problem(
                "too-large",
                f"The message is larger than {self._max_message_bytes} bytes.",
                remedy="Send one pose in a message.",
            )
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Problem(
                "malformed", f"The message is not valid JSON: {error}."
            ) from error

    async def _submit(self, pose: StreamRender) -> None:
        if len(self._in_flight) < MAX_IN_FLIGHT:
            self._begin(pose)
            return
        replaced, self._waiting = self._waiting, pose
        if replaced is not None:
            self._metrics.dropped_poses.inc()
            dropped = StreamDropped(sequence=replaced.sequence)
            await self._send_text(dropped.model_dump_json())

    def _begin(self, pose: StreamRender) -> None:
        task = asyncio.ensure_future(self._answer(pose))
        self._in_flight.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        """Begin the waiting pose; an answer that failed ends the stream."""
        self._in_flight.discard(task)
        if task.cancelled() or self._end.done():
            return
        if (error := task.exception()) is not None:
            self._end.set_exception(error)
        elif self._waiting is not None:
            pose, self._waiting = self._waiting, None
            self._begin(pose)

    async def _answer(self, pose: StreamRender) -> None:
        picture: Picture | None = None
        try:
            with self._admission.place():
                picture = await self._rendered(pose)
                await self._send_picture(pose, picture)
        except Exception as error:
            if picture is not None:  # nobody is there to take it, or to be told
                raise
            problem = as_problem(error)
            if problem.slug in FATAL:
                raise problem from error
            if problem.slug == "internal":
                log.exception("pose failed")
            await self._send_problem(problem, pose.sequence)

    async def _check_key(self) -> None:
        """The caller's key may have been revoked, or expired, since the last pose."""
        key_id = self._caller.key_id
        if key_id is None or self._keys.recall_id(key_id) is not None:
            return
        if await run_in_threadpool(self._keys.get, key_id) is None:
            raise Problem("unknown-key")

    async def _rendered(self, pose: StreamRender) -> Picture:
        await self._check_key()
        scene = await find_scene(self._scenes, self._caller, self._scene.id)
        order = await self._pictures.order(scene, [pose.camera], pose)
        (picture,) = await self._pictures.render(scene, order)
        self._metrics.rendered(picture.timings, picture.tier, via="stream")
        return picture

    async def _send_picture(self, pose: StreamRender, picture: Picture) -> None:
        header = FrameHeader(
            sequence=pose.sequence,
            height=picture.height,
            width=picture.width,
            format=pose.format,
            timings=picture.timings,
            tier=picture.tier,
        )
        text = header.model_dump_json().encode()
        data = struct.pack("<I", len(text)) + text + picture.data
        async with self._sending:
            await self._websocket.send_bytes(data)

    async def _send_problem(self, problem: Problem, sequence: int | None) -> None:
        request_id: str = self._websocket.scope["state"].get("request_id", "")
        told = StreamProblem(sequence=sequence, problem=problem.document(request_id))
        await self._send_text(told.model_dump_json())

    async def _send_text(self, text: str) -> None:
        async with self._sending:
            await self._websocket.send_text(text)


router = APIRouter(prefix="/v1/scenes")


@router.websocket("/{scene_id}/stream")
async def stream(
    websocket: WebSocket,
    scene_id: str,
    caller: RenderCaller,
    keys: Keys,
    scenes: Scenes,
    admission: AdmissionDep,
    settings: SettingsDep,
    metrics: MetricsDep,
    pictures: PicturesDep,
) -> None:
    """Serve one client until it leaves, falls silent, or loses its key or the scene."""
    scene = await find_scene(scenes, caller, scene_id)
    with admission.stream():
        await websocket.accept()
        session = StreamSession(
            websocket,
            scene,
            caller,
            keys,
            scenes,
            pictures,
            admission,
            metrics,
            max_message_bytes=settings.max_json_bytes,
        )
        await session.run()
