"""Jobs: listed, watched, cancelled, and the videos that they make."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import JOB_EXAMPLE, Job, JobPage, JobState
from nvs_server.edge.callers import Principal
from nvs_server.edge.problems import Problem, not_found
from nvs_server.jobs.progress import job_changes
from nvs_server.routes.dependencies import (
    AdmissionDep,
    BlobStore,
    JobId,
    Jobs,
    Reader,
    Runner,
    Writer,
    binary,
    errors,
    is_id,
)
from nvs_server.routes.scenes import Cursor, Limit
from nvs_server.routes.transfer import blob_response
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import JobRecord

PING_SECONDS = 15
EVENT = {
    "type": "object",
    "required": ["event", "id", "data"],
    "properties": {
        "event": {"const": "job"},
        "id": {"type": "string"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/Job"},
        },
    },
}
EVENT_EXAMPLE = f"event: job\nid: 3\ndata: {json.dumps(JOB_EXAMPLE)}\n\n"
REVISION = re.compile(r"[0-9]{1,18}")
AS_SENT = TypeAdapter(Job)
"""Of a record, only what clients see."""

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get(
    "",
    operation_id="list_jobs",
    summary="List jobs",
    response_description="A page of jobs.",
    responses=errors("invalid"),
)
def list_page(
    caller: Reader,
    jobs: Jobs,
    limit: Limit = 50,
    cursor: Cursor = None,
    scene_id: Annotated[
        str | None, Query(max_length=26, description="Only jobs of this scene.")
    ] = None,
    state: Annotated[
        JobState | None, Query(description="Only jobs in this state.")
    ] = None,
) -> JobPage:
    """The caller's jobs, newest first."""
    if scene_id is not None and not is_id(scene_id):
        return JobPage(items=[], next_cursor=None)
    items, next_cursor = jobs.list(
        caller.owner, scene_id=scene_id, state=state, limit=limit, cursor=cursor
    )
    return JobPage(items=list(items), next_cursor=next_cursor)


@router.get(
    "/{job_id}",
    operation_id="get_job",
    summary="Get a job",
    response_description="The job.",
    response_model=Job,
    responses=errors("not-found"),
)
async def get(job_id: JobId, caller: Reader, jobs: Jobs) -> JobRecord:
    """One job and how far it is."""
    return await _find_job(jobs, caller, job_id)


@router.post(
    "/{job_id}/cancel",
    operation_id="cancel_job",
    summary="Cancel a job",
    response_description="The job; one that had ended stays as it was.",
    response_model=Job,
    responses=errors("not-found", "disk-full"),
)
async def cancel(
    job_id: JobId, caller: Writer, jobs: Jobs, runner: Runner
) -> JobRecord:
    """Stop a job, waiting or running; what it made is thrown away."""
    await _find_job(jobs, caller, job_id)
    job = await run_in_threadpool(jobs.cancel, caller.owner, job_id)
    runner.cancelled(job_id)
    return job


@router.get(
    "/{job_id}/events",
    operation_id="watch_job",
    summary="Watch a job",
    response_class=EventSourceResponse,
    responses={
        200: {
            "content": {
                "text/event-stream": {"itemSchema": EVENT, "example": EVENT_EXAMPLE}
            },
            "description": "`event: job` with the job as data, now and at each change; "
            "ends after a final state.",
        },
        204: {"description": "The job has ended and Last-Event-ID has seen it."},
    }
    | errors("not-found"),
)
async def events(
    job_id: JobId,
    caller: Reader,
    jobs: Jobs,
    runner: Runner,
    admission: AdmissionDep,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="Id of the last event received."),
    ] = None,
) -> Response:
    """Server-sent events: the job at each change, a comment every 15 s."""
    job = await _find_job(jobs, caller, job_id)
    seen = 0
    if last_event_id is not None and REVISION.fullmatch(last_event_id):
        seen = int(last_event_id)
    if job.is_final and job.revision <= seen:
        return Response(status_code=204)

    async def messages() -> AsyncGenerator[ServerSentEvent]:
        async for change in job_changes(
            jobs, runner.events, job, after_revision=seen, ended=admission.draining
        ):
            yield ServerSentEvent(
                AS_SENT.dump_json(change).decode(),
                event="job",
                id=str(change.revision),
            )

    return EventSourceResponse(messages(), ping=PING_SECONDS)


@router.get(
    "/{job_id}/result",
    operation_id="get_job_result",
    summary="Download the video of a job",
    response_class=Response,
    responses={
        200: {"content": binary("video/mp4"), "description": "The video."},
        206: {"description": "The range that was asked for."},
        304: {"description": "The video that If-None-Match names is still right."},
    }
    | errors("not-found", "no-result", "range", "blob-lost"),
)
async def result(
    request: Request, job_id: JobId, caller: Reader, jobs: Jobs, blobs: BlobStore
) -> Response:
    """The video that a job made."""
    job = await _find_job(jobs, caller, job_id)
    if job.kind != "video":
        is_build = job.kind == "build"
        raise Problem(
            "no-result",
            f"The result of a {job.kind} is in the scene.",
            remedy=f"GET /v1/scenes/{job.scene_id}{'/file' if is_build else ''}.",
        )
    if job.state != "succeeded":
        raise Problem("no-result", f"The job is {job.state}.")
    if job.result_sha256 is None or job.result is None:
        raise not_found("video: its scene was deleted")
    return await blob_response(
        *(request, blobs, job.result_sha256, job.result["num_bytes"], "video/mp4")
    )


async def _find_job(jobs: JobStore, caller: Principal, job_id: str) -> JobRecord:
    job = None
    if is_id(job_id):
        job = await run_in_threadpool(jobs.get, caller.owner, job_id)
    if job is None:
        raise not_found(
            f"job {job_id[:80]!r} of yours", remedy="GET /v1/jobs lists yours."
        )
    return job
