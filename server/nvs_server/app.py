"""The application: its parts, its middlewares, its routes."""

from __future__ import annotations

from typing import cast

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ExceptionHandler

from nvs_server import failures, openapi, refusal
from nvs_server.access.authentication import Authentication
from nvs_server.access.origin import HostAndOrigin
from nvs_server.backends.base import Backend
from nvs_server.backends.local import LocalBackend
from nvs_server.backends.settings import LocalSettings
from nvs_server.jobs.runner import JobRunner
from nvs_server.lifespan import running
from nvs_server.limits.admission import Admission
from nvs_server.limits.answers import WholeAnswers
from nvs_server.limits.body import BodyLimit
from nvs_server.limits.headers import SecurityHeaders
from nvs_server.limits.inspections import Inspections
from nvs_server.routes import (
    builds,
    docs,
    health,
    jobs,
    models,
    renders,
    scenes,
    stream,
    uploads,
    videos,
    viewer,
)
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.tickets import TicketStore
from nvs_server.telemetry.metrics import Metrics
from nvs_server.telemetry.requests import RequestTelemetry
from nvs_server.telemetry.state import StateCollector
from nvs_server.telemetry.tracing import trace

ROUTERS = (
    scenes.router,
    uploads.router,
    builds.router,
    jobs.router,
    renders.router,
    videos.router,
    stream.router,
    models.router,
    health.router,
    docs.router,
    viewer.router,
)


def create_app(settings: Settings, backend: Backend | None = None) -> FastAPI:
    """An application; its parts start with its lifespan.

    Args:
        settings: The server's settings.
        backend: Who computes; processes on this machine if absent.
    """
    database = Database(settings.database)
    blobs = Blobs(
        settings.blobs, settings.data_folder / "cache", settings.disk_cache_bytes
    )
    if backend is None:
        backend = LocalBackend(local_settings(settings))
    app = FastAPI(
        title=openapi.TITLE,
        version=openapi.VERSION,
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
    state.metrics = Metrics()
    state.metrics.collect(StateCollector(state.admission, state.jobs, backend))
    state.runner = JobRunner(
        settings, state.jobs, state.scenes, blobs, backend, state.metrics
    )
    for router in ROUTERS:
        app.include_router(router)
    viewer.mount(app)
    handler = cast("ExceptionHandler", refusal.answer)
    for kind in failures.HANDLED:
        app.add_exception_handler(kind, handler)
    _add_middlewares(app)
    openapi.describe(app)
    if settings.otel_endpoint:
        trace(app, settings.otel_endpoint)
    return app


def local_settings(settings: Settings) -> LocalSettings:
    """What the processes on this machine are told of the settings."""
    return LocalSettings(
        blobs_url=settings.blobs,
        disk_cache_folder=settings.data_folder / "cache",
        disk_cache_bytes=settings.disk_cache_bytes,
        weights=settings.weights,
        devices=settings.devices,
        precision=settings.precision,
        threads=settings.threads,
        device_cache_bytes=settings.device_cache_bytes,
        host_cache_bytes=settings.host_cache_bytes,
        max_views=settings.max_views,
        max_image_pixels=settings.max_image_pixels,
        inspector_memory_bytes=settings.inspector_memory_bytes,
    )


def _add_middlewares(app: FastAPI) -> None:
    """Innermost first."""
    state = app.state
    settings: Settings = state.settings
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(WholeAnswers)
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
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestTelemetry, metrics=state.metrics)
