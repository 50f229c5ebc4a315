"""Whether the server lives, whether it takes work, and its metrics."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from nvs.api.values import Schema, examples
from nvs_server.access.dependencies import (
    AdmissionDep,
    BackendDep,
    MetricsDep,
    MetricsReader,
)
from nvs_server.problems import Problem, documented

EXAMPLE = """# HELP nvs_renders Renders in the house.
# TYPE nvs_renders gauge
nvs_renders 2.0
"""

router = APIRouter(tags=["health"])


class Health(Schema):
    """That the server is well."""

    model_config = examples({"status": "ok"})

    status: Literal["ok"] = "ok"
    """Always `ok`; otherwise there is a problem document."""


@router.get("/livez")
async def livez() -> Health:
    """Whether the process answers. Restart it if not."""
    return Health()


@router.get("/readyz", responses=documented("draining", "worker-lost"))
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


@router.get(
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
