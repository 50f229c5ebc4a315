"""What routes ask for: the caller with a scope, parts of the service, a scene."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from nvs.api.jobs import JobKind
from nvs.api.system import Model
from nvs.api.values import ID_PATTERN
from nvs_server.compute.protocol import Backend
from nvs_server.edge.admission import Admission, Inspections
from nvs_server.edge.callers import Principal, requires
from nvs_server.edge.problems import Problem, documented, invalid, not_found
from nvs_server.jobs.runner import JobRunner
from nvs_server.metrics import Metrics
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.keys import KeyStore, TicketStore
from nvs_server.storage.records import JobRecord, SceneRecord, SceneRef
from nvs_server.storage.scenes import SceneStore


def _state(name: str) -> Any:
    async def part(connection: HTTPConnection) -> Any:
        return getattr(connection.app.state, name)

    return Depends(part)


Caller = Annotated[Principal, Depends(requires(None))]
Reader = Annotated[Principal, Depends(requires("read"))]
Writer = Annotated[Principal, Depends(requires("write"))]
RenderCaller = Annotated[Principal, Depends(requires("render"))]
MetricsReader = Annotated[Principal, Depends(requires("metrics"))]

SettingsDep = Annotated[Settings, _state("settings")]
DatabaseDep = Annotated[Database, _state("database")]
Scenes = Annotated[SceneStore, _state("scenes")]
Jobs = Annotated[JobStore, _state("jobs")]
Keys = Annotated[KeyStore, _state("keys")]
BlobStore = Annotated[Blobs, _state("blobs")]
BackendDep = Annotated[Backend, _state("backend")]
AdmissionDep = Annotated[Admission, _state("admission")]
TicketsDep = Annotated[TicketStore, _state("tickets")]
InspectionsDep = Annotated[Inspections, _state("inspections")]
BuildChecks = Annotated[Inspections, _state("build_checks")]
"""Of builds before they are queued: as many at one time as may be queued."""
MetricsDep = Annotated[Metrics, _state("metrics")]
Runner = Annotated[JobRunner, _state("runner")]


SceneId = Annotated[
    str, Path(description="Id of a scene.", examples=["mfzwizltoqydcmrtgu3dqmrvge"])
]
JobId = Annotated[
    str, Path(description="Id of a job.", examples=["orugs4zanfzsa5dimuqgc3tt4a"])
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The client's own name of this request: sent again, it gives the "
        "same job or scene; with other parameters, 409.",
    ),
]

_EVERYWHERE = (
    *("host-refused", "no-key", "unknown-key", "scope-missing", "origin-refused"),
    *("rate-limited", "draining", "storage-unavailable", "internal"),
)
JSON_BODY = ("malformed", "invalid", "too-large", "media-type", "body-timeout")
"""What a route that takes JSON can refuse."""
FILE_BODY = (*JSON_BODY, "length-required", "digest-mismatch", "disk-full")
"""What a route that takes a file can refuse."""


def errors(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """Document problems of a route, with those that any route can have."""
    return documented(*_EVERYWHERE, *slugs)


def binary(*media_types: str) -> dict[str, Any]:
    """The content of a body or an answer that is a file, of one of these types."""
    return {
        name: {"schema": {"type": "string", "format": "binary"}} for name in media_types
    }


def is_id(text: str) -> bool:
    """Whether a text can be the id of a scene or a job."""
    return re.fullmatch(ID_PATTERN, text) is not None


async def find_scene(
    scenes: SceneStore, caller: Principal, scene_id: str
) -> SceneRecord:
    """A scene of the caller's.

    Raises:
        Problem: `not-found`, 404.
    """
    scene = None
    if is_id(scene_id):
        scene = scenes.recall(caller.owner, scene_id)
        if scene is None:
            scene = await run_in_threadpool(scenes.get, caller.owner, scene_id)
    if scene is None:
        raise not_found(f"scene {scene_id[:80]!r} of yours")
    return scene


async def _readable(scene_id: SceneId, caller: Reader, scenes: Scenes) -> SceneRecord:
    return await find_scene(scenes, caller, scene_id)


async def _writable(scene_id: SceneId, caller: Writer, scenes: Scenes) -> SceneRecord:
    return await find_scene(scenes, caller, scene_id)


async def _renderable(
    scene_id: SceneId, caller: RenderCaller, scenes: Scenes
) -> SceneRecord:
    return await find_scene(scenes, caller, scene_id)


ReadableScene = Annotated[SceneRecord, Depends(_readable)]
WritableScene = Annotated[SceneRecord, Depends(_writable)]
RenderableScene = Annotated[SceneRecord, Depends(_renderable)]
"""The scene of the path, of a caller with that scope."""


class JobQueue:
    """Where a route puts its job: it answers 202, or 200 if the job was there.

    Args:
        response: Gets the status and the job's address.
        jobs: The jobs that wait.
        settings: How many of them may.
        runner: Looks at once for a job that is new.
        idempotency_key: The client's own name of this request.
    """

    def __init__(
        self,
        response: Response,
        jobs: Jobs,
        settings: SettingsDep,
        runner: Runner,
        idempotency_key: IdempotencyKey = None,
    ) -> None:
        self._response = response
        self._jobs = jobs
        self._settings = settings
        self._runner = runner
        self._idempotency_key = idempotency_key

    async def put(
        self,
        caller: Principal,
        scene: SceneRecord,
        kind: JobKind,
        parameters: Mapping[str, Any],
        dedupe_key: str,
        *,
        limit_per_day: int | None = None,
    ) -> JobRecord:
        """Queue a job of a scene, or find the one that does the same.

        See `nvs_server.storage.jobs.JobStore.submit`.
        """
        job, is_new = await run_in_threadpool(
            self._jobs.submit,
            caller.owner,
            scene.id,
            kind,
            parameters,
            dedupe_key=dedupe_key,
            idempotency_key=self._idempotency_key,
            limit_queued=self._settings.max_job_queue,
            limit_per_day=limit_per_day,
            limit_bytes=caller.quotas.bytes,
        )
        if is_new:
            self._runner.wake()
        else:
            self._response.status_code = 200
        self._response.headers["Location"] = f"/v1/jobs/{job.id}"
        return job


QueueDep = Annotated[JobQueue, Depends()]


def built_file(scene: SceneRecord) -> SceneRef:
    """The scene's file.

    Raises:
        Problem: `building` or `not-built`, 409.
    """
    if scene.file is not None:
        return scene.file
    if scene.state == "building":
        raise Problem(
            "building",
            f"Scene {scene.id} is being built and has no scene file yet.",
            remedy=f"Wait for job {scene.job_id}.",
        )
    detail = f"Scene {scene.id} has no scene file; its state is {scene.state}."
    if scene.error is not None:
        detail += f" {scene.error.problem}."
    raise Problem("not-built", detail)


async def find_model(backend: Backend, weights: str | None) -> Model | None:
    """Served weights by id; the default without one; None if there are none such."""
    for model in await backend.models():
        if model.id == weights or (weights is None and model.is_default):
            return model
    return None


async def required_model(backend: Backend, weights: str | None) -> Model:
    """Served weights by id; the default without one.

    Raises:
        Problem: `invalid`, 422, if there are none such; `worker-lost`, 503.
    """
    model = await find_model(backend, weights)
    if model is not None:
        return model
    if weights is None:
        raise Problem("worker-lost", "The models are not known yet.")
    known = ", ".join(model.id for model in await backend.models())
    raise invalid(
        "weights",
        f"this service has no weights {weights!r}",
        remedy=f"It has: {known}.",
    )
