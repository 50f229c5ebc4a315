"""What routes ask for: the caller with a scope, and the parts on `app.state`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from nvs_server.access.principal import Principal, requires
from nvs_server.backends.base import Backend
from nvs_server.limits.admission import Admission
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.tickets import TicketStore
from nvs_server.telemetry.metrics import Metrics


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
MetricsDep = Annotated[Metrics, _state("metrics")]
