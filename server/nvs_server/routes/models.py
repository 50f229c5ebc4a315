"""The service about itself: the caller, the models, the capacity, tickets."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from nvs.api.system import Capacity, Me, Models, Queue, Ticket
from nvs_server.routes.dependencies import (
    AdmissionDep,
    BackendDep,
    Caller,
    Jobs,
    Reader,
    RenderCaller,
    Scenes,
    SettingsDep,
    TicketsDep,
    errors,
)
from nvs_server.storage.keys import TICKET_SECONDS

router = APIRouter(prefix="/v1", tags=["service"])


@router.get(
    "/me",
    operation_id="get_me",
    summary="Who am I",
    response_description="The caller.",
    responses=errors(),
)
def me(caller: Caller, scenes: Scenes) -> Me:
    """The caller's owner name, scopes, quotas and what of them is used."""
    return Me(
        owner=caller.owner,
        key_name=caller.key_name,
        scopes=sorted(caller.scopes),
        quotas=caller.quotas,
        usage=scenes.usage(caller.owner),
        auth=caller.auth,
    )


@router.get(
    "/models",
    operation_id="list_models",
    summary="List models",
    response_description="The models.",
    responses=errors("worker-lost"),
)
async def models(caller: Reader, backend: BackendDep) -> Models:
    """The weights that scenes are built and rendered with, the default first."""
    return Models(items=await backend.models())


@router.get(
    "/capacity",
    operation_id="get_capacity",
    summary="How busy the service is",
    response_description="Workers, queues and caches.",
    responses=errors(),
)
async def capacity(
    caller: Reader,
    backend: BackendDep,
    jobs: Jobs,
    admission: AdmissionDep,
    settings: SettingsDep,
) -> Capacity:
    """Workers, queues and the scene cache; answers also while shutting down."""
    status = backend.status()
    counts = await run_in_threadpool(jobs.counts)
    return Capacity(
        workers=list(status.workers),
        queue=Queue(
            renders=admission.num_renders,
            renders_limit=admission.max_renders,
            jobs=counts.queued + counts.running,
            jobs_limit=settings.max_job_queue,
        ),
        cache=list(status.cache),
        draining=admission.is_draining,
    )


@router.post(
    "/tickets",
    operation_id="create_ticket",
    summary="Get a ticket for a stream",
    response_description="The ticket.",
    responses=errors("disk-full"),
)
def ticket(caller: RenderCaller, tickets: TicketsDep) -> Ticket:
    """A ticket stands in for the key on one WebSocket, where headers cannot be set."""
    return Ticket(
        ticket=tickets.issue(caller.key_id), expires_in_seconds=int(TICKET_SECONDS)
    )
