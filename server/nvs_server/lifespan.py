"""Starting an application's parts, and ending them in reverse order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from nvs.errors import ConfigError, NvsError
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.sweep import sweep
from nvs_server.telemetry.logs import logger

SWEEP_GRACE_SECONDS = 6 * 3600.0
"""Files of uploads younger than this are left alone."""

log = logger(__name__)


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
