"""The service about itself: health, metrics, the caller, models, capacity, tickets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from nvs.api.system import Capacity, Me, Models, Queue, Ticket
from nvs.api.values import Schema, examples
from nvs_server.compute.protocol import Backend, BackendStatus
from nvs_server.edge.admission import Admission
from nvs_server.edge.problems import Problem, documented
from nvs_server.routes.dependencies import (
    AdmissionDep,
    BackendDep,
    Caller,
    Jobs,
    MetricsDep,
    MetricsReader,
    Reader,
    RenderCaller,
    Scenes,
    SettingsDep,
    TicketsDep,
    errors,
)
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.keys import TICKET_SECONDS

EXAMPLE = """# HELP nvs_renders Renders in the house.
# TYPE nvs_renders gauge
nvs_renders 2.0
"""

health = APIRouter(tags=["health"])
router = APIRouter(prefix="/v1", tags=["service"])


class Health(Schema):
    """That the server is well."""

    model_config = examples({"status": "ok"})

    status: Literal["ok"] = "ok"
    """Always `ok`; otherwise there is a problem document."""


@health.get("/livez")
async def livez() -> Health:
    """Whether the process answers. Restart it if not."""
    return Health()


@health.get("/readyz", responses=documented("draining", "worker-lost"))
async def readyz(admission: AdmissionDep, backend: BackendDep) -> Health:
    """Whether requests should be sent here: some worker is ready, no shutdown."""
    admission.check_open()
    status = backend.status()
    for what, processes in (
        ("worker", status.workers),
        ("inspector", status.inspectors),
    ):
        if not any(process.state == "ready" for process in processes):
            raise Problem("worker-lost", f"No {what} is ready.")
    return Health()


@health.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"example": EXAMPLE}},
            "description": "Prometheus' text format",
        }
    }
    | documented(
        "no-key", "unknown-key", "scope-missing", "rate-limited", "storage-unavailable"
    ),
)
def metrics(caller: MetricsReader, metrics: MetricsDep) -> Response:
    """Metrics in Prometheus' text format; needs the scope `metrics`."""
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)


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


class StateCollector(Collector):
    """Queues, workers and caches as they are now.

    Args:
        admission: Renders in the house.
        jobs: The job queue.
        backend: Workers and their caches.
    """

    def __init__(self, admission: Admission, jobs: JobStore, backend: Backend) -> None:
        self.admission = admission
        self.jobs = jobs
        self.backend = backend

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask the parts, which may not be started."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        yield _gauge("nvs_renders", "Renders in the house.", self.admission.num_renders)
        yield _gauge("nvs_renders_limit", "Renders let in.", self.admission.max_renders)
        yield _gauge("nvs_streams", "Streams open.", self.admission.num_streams)
        yield _gauge("nvs_draining", "Shutting down.", self.admission.is_draining)
        counts = self.jobs.counts()
        waiting = GaugeMetricFamily("nvs_jobs", "Jobs by state.", labels=["state"])
        waiting.add_metric(["queued"], counts.queued)
        waiting.add_metric(["running"], counts.running)
        yield waiting
        yield from _backend(self.backend.status())


def _backend(status: BackendStatus) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "nvs_process_ready", "Whether a process takes work.", labels=["process"]
    )
    restarts = CounterMetricFamily(
        "nvs_process_restarts", "Restarts of a process.", labels=["process"]
    )
    for role, processes in (
        ("worker", status.workers),
        ("inspector", status.inspectors),
        ("poser", status.posers),
    ):
        for place, process in enumerate(processes):
            label = [f"{role}-{place}-{process.device}"]
            up.add_metric(label, process.state == "ready")
            restarts.add_metric(label, process.num_restarts)
    yield up
    yield restarts
    size = GaugeMetricFamily("nvs_cache_bytes", "Cached scenes.", labels=["tier"])
    limit = GaugeMetricFamily("nvs_cache_limit_bytes", "Budget.", labels=["tier"])
    scenes = GaugeMetricFamily("nvs_cache_scenes", "Cached scenes.", labels=["tier"])
    hits = CounterMetricFamily("nvs_cache_hits", "Scenes found.", labels=["tier"])
    evictions = CounterMetricFamily(
        "nvs_cache_evictions", "Scenes evicted.", labels=["tier"]
    )
    for cache in status.cache:
        size.add_metric([cache.tier], cache.bytes)
        limit.add_metric([cache.tier], cache.bytes_limit)
        scenes.add_metric([cache.tier], cache.scenes)
        hits.add_metric([cache.tier], cache.hits)
        evictions.add_metric([cache.tier], cache.evictions)
    yield from (size, limit, scenes, hits, evictions)
    yield CounterMetricFamily(
        "nvs_backend_images", "Images rendered.", value=status.images_total
    )
    yield CounterMetricFamily(
        "nvs_backend_batches", "Batches rendered.", value=status.batches_total
    )


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
