"""What all requests share: the connection, who asks, jobs, and files either way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Self, TypeVar

from nvs.api.jobs import Job, JobPage
from nvs.api.scenes import ScenePage
from nvs.api.system import Capacity, Me, Model, Models
from nvs.client import jobs
from nvs.client.jobs import OnJob
from nvs.client.transfers import Download, FileBody, Progress
from nvs.client.transport import (
    DEFAULT_SERVER,
    Answer,
    Retries,
    Transport,
    job_path,
    once,
)
from nvs.files import atomic_output

PAGE_SIZE = 50

Page = TypeVar("Page", ScenePage, JobPage)


class Connection:
    """A connection to `nvs serve`, and what is asked of the service as a whole."""

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        key: str | None = None,
        retries: Retries | None = None,
        timeout_seconds: float = 300.0,
    ) -> None:
        self._transport = Transport(
            server,
            key=key,
            retries=retries or Retries(),
            timeout_seconds=timeout_seconds,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def me(self) -> Me:
        """Who the key belongs to, what it may do, quotas and usage."""
        return await self._transport.ask(Me, "GET", "/v1/me")

    async def models(self) -> tuple[Model, ...]:
        """The weights that the service has, the default first."""
        return tuple((await self._transport.ask(Models, "GET", "/v1/models")).items)

    async def capacity(self) -> Capacity:
        """Workers, queues and caches of the service."""
        return await self._transport.ask(Capacity, "GET", "/v1/capacity")

    async def job(self, job_id: str) -> Job:
        """One job."""
        return await self._transport.ask(Job, "GET", job_path(job_id))

    async def jobs(
        self, *, scene_id: str | None = None, state: str | None = None
    ) -> AsyncIterator[Job]:
        """Every job, newest first, fetched page by page."""
        wanted = given(limit=PAGE_SIZE, scene_id=scene_id, state=state)
        async for page in self._pages(JobPage, "/v1/jobs", wanted):
            for job in page.items:
                yield job

    async def wait(self, job_id: str, *, on_progress: OnJob | None = None) -> Job:
        """Wait until a job is finished.

        Raises:
            JobFailedError: If it fails or is cancelled.
        """
        return await jobs.finished(self._transport, job_id, on_progress)

    async def cancel_job(self, job_id: str) -> Job:
        """Ask that a job be stopped."""
        return await self._transport.ask(Job, "POST", job_path(job_id, "cancel"))

    async def _pages(
        self, kind: type[Page], path: str, params: dict[str, Any]
    ) -> AsyncGenerator[Page]:
        cursor: str | None = ""
        while cursor is not None:
            page = await self._transport.ask(
                kind,
                "GET",
                path,
                params=params | ({"cursor": cursor} if cursor else {}),
            )
            yield page
            cursor = page.next_cursor

    async def _start(
        self, path: str, body: Any, wait: bool, on_progress: OnJob | None
    ) -> Job:
        job = await self._transport.ask(Job, "POST", path, json=body, headers=once())
        if not wait:
            return job
        if on_progress is not None:
            on_progress(job)
        return await self.wait(job.id, on_progress=on_progress)

    async def _put_file(
        self,
        kind: type[Answer],
        address: str,
        path: Path | str,
        media_type: str,
        on_progress: Progress | None = None,
    ) -> Answer:
        body = await asyncio.to_thread(FileBody.of, Path(path), media_type, on_progress)
        return await self._transport.ask(kind, "PUT", address, body=body)

    async def _fetch_file(
        self, address: str, path: Path | str, on_progress: Progress | None
    ) -> int:
        with atomic_output(path) as temporary:
            with temporary.open("wb") as out:
                download = Download(out, on_progress)
                await self._transport.fetch(address, download)
            await asyncio.to_thread(download.check, temporary)
            return download.received_bytes


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}
