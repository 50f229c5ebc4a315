"""The application: its parts, how they start and end, its middlewares, its routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import cast

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ExceptionHandler

from nvs.errors import ConfigError, NvsError
from nvs.terminal.extras import needs_extra
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.protocol import Backend
from nvs_server.edge.addresses import HeadOfGet, RelativeLocations
from nvs_server.edge.admission import Admission, Inspections
from nvs_server.edge.body import BodyLimit
from nvs_server.edge.browsers import HostAndOrigin, SecurityHeaders
from nvs_server.edge.callers import Authentication
from nvs_server.edge.connections import WholeAnswers
from nvs_server.edge.problems import HANDLED
from nvs_server.edge.requests import RequestTelemetry, answer
from nvs_server.jobs.runner import JobRunner
from nvs_server.logs import logger
from nvs_server.metrics import Metrics
from nvs_server.routes import (
    jobs,
    pages,
    renders,
    scenes,
    service,
    stream,
    submissions,
    uploads,
)
from nvs_server.routes.service import StateCollector
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.keys import KeyStore, TicketStore
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.sweep import sweep
from nvs_server.tracing import trace

ROUTERS = (
    scenes.router,
    uploads.router,
    submissions.router,
    jobs.router,
    renders.router,
    stream.router,
    service.router,
    service.health,
    pages.router,
)
SWEEP_GRACE_SECONDS = 6 * 3600.0
"""Files of uploads younger than this are left alone."""

log = logger(__name__)


def create_app(settings: Settings, backend: Backend | None = None) -> FastAPI:
    """An application; its parts start with its lifespan.

    Args:
        settings: The server's settings.
        backend: Who computes; what the settings say if absent.

    Raises:
        MissingExtraError: If that needs a package which is not installed.
    """
    database = Database(settings.database)
    blobs = Blobs(settings.blobs, settings.cache_folder, settings.disk_cache_bytes)
    if backend is None:
        backend = _backend(settings)
    app = FastAPI(
        title=pages.TITLE,
        version=pages.VERSION,
        lifespan=running,
        docs_url=None,
        redoc_url=None,
    )
    state = app.state
    state.settings = settings
    state.database = database
    state.blobs = blobs
    state.backend = backend
    state.keys = KeyStore(database)
    state.scenes = SceneStore(database)
    state.jobs = JobStore(database, max_attempts=settings.max_attempts)
    state.tickets = TicketStore(database)
    state.admission = Admission(
        max_renders=settings.max_render_queue, max_streams=settings.max_streams
    )
    state.inspections = Inspections()
    state.build_checks = Inspections(settings.max_job_queue)
    state.metrics = Metrics()
    state.metrics.collect(StateCollector(state.admission, state.jobs, backend))
    state.runner = JobRunner(
        settings, state.jobs, state.scenes, blobs, backend, state.metrics
    )
    for router in ROUTERS:
        app.include_router(router)
    pages.mount(app)
    handler = cast("ExceptionHandler", answer)
    for kind in HANDLED:
        app.add_exception_handler(kind, handler)
    _add_middlewares(app)
    pages.describe(app)
    if settings.otel_endpoint:
        trace(app, settings.otel_endpoint)
    return app


def _backend(settings: Settings) -> Backend:
    if settings.backend == "local":
        return LocalBackend(settings)
    with needs_extra("cluster"):
        from nvs_server.compute.cluster import RayBackend
    return RayBackend(settings)


def _add_middlewares(app: FastAPI) -> None:
    """Innermost first."""
    state = app.state
    settings: Settings = state.settings
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(WholeAnswers)
    app.add_middleware(HeadOfGet)
    app.add_middleware(RelativeLocations)
    app.add_middleware(
        Authentication,
        settings=settings,
        keys=state.keys,
        tickets=state.tickets,
        admission=state.admission,
    )
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Digest",
                "Content-Type",
                "Idempotency-Key",
                "Last-Event-ID",
                "Range",
            ],
            expose_headers=[
                "ETag",
                "Location",
                "NVS-Cache-Tier",
                "NVS-Height",
                "NVS-Width",
                "Retry-After",
                "Server-Timing",
                "X-Request-ID",
            ],
        )
    app.add_middleware(HostAndOrigin, settings=settings)
    app.add_middleware(SecurityHeaders, settings=settings)
    app.add_middleware(RequestTelemetry, metrics=state.metrics)


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[None]:
    """The parts of an application, started; ended in reverse order.

    Raises:
        ConfigError: If a setting makes it impossible, such as a public address
            without any API key.
    """
    state = app.state
    settings: Settings = state.settings
    settings.make_data_folder()
    await run_in_threadpool(state.database.migrate)
    try:
        await _check_keys(settings, state.keys)
        await state.backend.start()
        try:
            await state.runner.start()
            sweeper = asyncio.create_task(
                _sweep_now_and_then(settings, state.database, state.blobs)
            )
            try:
                yield
            finally:
                state.admission.draining.set()
                sweeper.cancel()
                with suppress(asyncio.CancelledError):
                    await sweeper
                await state.runner.stop()
        finally:
            await state.backend.stop()
    finally:
        state.database.dispose()


async def _check_keys(settings: Settings, keys: KeyStore) -> None:
    if settings.is_loopback or await run_in_threadpool(keys.any):
        return
    raise ConfigError(
        f"the address {settings.host} can be reached from other machines, and there "
        "is no API key",
        remedy="Make one with `nvs keys create NAME`, or use --host 127.0.0.1.",
    )


async def _sweep_now_and_then(
    settings: Settings, database: Database, blobs: Blobs
) -> None:
    while True:
        try:
            report = await run_in_threadpool(
                sweep, database, blobs, grace_seconds=SWEEP_GRACE_SECONDS
            )
            log.info("swept", report=str(report))
        except (NvsError, OSError) as error:
            log.warning("sweep failed", error=str(error))
        await asyncio.sleep(settings.sweep_seconds)
