"""The asynchronous client: a method a request, as docs/api.md describes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import EllipsisType
from typing import Any

from nvs.api.framing import Expectation
from nvs.api.jobs import Job
from nvs.api.scenes import Scene, ScenePage
from nvs.client import connection
from nvs.client.captures import CaptureRequests
from nvs.client.connection import given
from nvs.client.jobs import OnJob
from nvs.client.renders import RenderRequests
from nvs.client.transfers import Progress
from nvs.client.transport import once, scene_path

Views = Sequence[int] | Mapping[str, Any]
Size = int | tuple[int, int]


class AsyncClient(CaptureRequests, RenderRequests):
    """A connection to `nvs serve`; close it, or use it in an `async with` statement.

    Every method may raise ServiceError (the service refuses, with status, problem,
    remedy and field), ServiceUnreachableError (no answer after all attempts) and
    ServiceAnswerError (something else than the service answered).

    Args:
        server: Address of the service.
        key: The key, unless the service is open.
        retries: How long to keep trying.
        timeout_seconds: Longest silence within one answer.

    Raises:
        ConfigError: If the address is no http(s) URL or the key cannot be one.
    """

    async def create_scene(
        self,
        name: str,
        *,
        tags: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> Scene:
        """Make an empty scene."""
        body = {"name": name, "tags": list(tags), "expires_at": _time(expires_at)}
        return await self._transport.ask(
            Scene, "POST", "/v1/scenes", json=body, headers=once()
        )

    async def scene(self, scene_id: str) -> Scene:
        """One scene."""
        return await self._transport.ask(Scene, "GET", scene_path(scene_id))

    async def scenes(
        self, *, tag: str | None = None, state: str | None = None
    ) -> AsyncIterator[Scene]:
        """Every scene, newest first, fetched page by page."""
        wanted = given(limit=connection.PAGE_SIZE, tag=tag, state=state)
        async for page in self._pages(ScenePage, "/v1/scenes", wanted):
            for scene in page.items:
                yield scene

    async def update_scene(
        self,
        scene_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        expires_at: datetime | EllipsisType | None = ...,
        up: Sequence[float] | None = None,
    ) -> Scene:
        """Change what is given; `expires_at=None` keeps the scene for ever.

        `up` is what is up in the world of a built scene, until it is built again.
        """
        changes = given(
            name=name,
            tags=None if tags is None else list(tags),
            up=None if up is None else list(up),
        )
        if not isinstance(expires_at, EllipsisType):
            changes["expires_at"] = _time(expires_at)
        return await self._transport.ask(
            Scene, "PATCH", scene_path(scene_id), json=changes
        )

    async def delete_scene(self, scene_id: str) -> None:
        """Delete a scene, its files and its jobs."""
        await self._transport.send("DELETE", scene_path(scene_id))

    async def expectation(
        self,
        scene_id: str,
        *,
        weights: str | None = None,
        size: Size | None = None,
        views: Views | None = None,
        framing: str = "auto",
        up: Sequence[float] | None = None,
        convention: str = "opencv",
        holdout: int | None = None,
    ) -> Expectation:
        """How a build would frame the capture and what to expect; see `build`."""
        body = _build(weights, size, views, framing, up, convention, holdout)
        path = scene_path(scene_id, "expectation")
        return await self._transport.ask(Expectation, "POST", path, json=body)

    async def build(
        self,
        scene_id: str,
        *,
        weights: str | None = None,
        size: Size | None = None,
        views: Views | None = None,
        framing: str = "auto",
        up: Sequence[float] | None = None,
        convention: str = "opencv",
        holdout: int | None = None,
        pose: Mapping[str, Any] | None = None,
        wait: bool = True,
        on_progress: OnJob | None = None,
    ) -> Job:
        """Build a scene from its uploaded images.

        Args:
            scene_id: The scene.
            weights: Id of a model; the service's default if absent.
            size: Longer side or (height, width) in pixels; the model's own if absent.
            views: Indices of frames, or {"count", "method", "seed"}; all if absent.
            framing: auto, none, mean_camera or object.
            up: Up axis of the capture's world; found from the cameras if absent.
            convention: How poses were stored: opencv (as their layout says), opengl,
                inverted or inverted-opengl.
            holdout: Keep every n-th view out and say how close the build comes to it.
            pose: Where the scene has no cameras, find them first: arguments of `pose`,
                or {}. Without waiting, the job is then the posing, whose result names
                the `build_job_id`.
            wait: Whether to return only when it is finished.
            on_progress: Called on every change while waiting.

        Raises:
            JobFailedError: If it was waited for and failed or was cancelled.
        """
        body = _build(weights, size, views, framing, up, convention, holdout)
        if pose is not None:
            body["pose"] = dict(pose)
        address = scene_path(scene_id, "build")
        job = await self._start(address, body, wait, on_progress)
        following = (job.result or {}).get("build_job_id")
        if not wait or following is None:
            return job
        return await self.wait(following, on_progress=on_progress)

    async def download_scene(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch the scene file, as `nvs render` reads it; returns its bytes.

        Raises:
            OutputError: If the file cannot be written.
        """
        return await self._fetch_file(scene_path(scene_id, "file"), path, on_progress)

    async def upload_scene_file(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> Scene:
        """Send a scene file that `nvs build` made; it can be rendered at once."""
        address, kind = scene_path(scene_id, "file"), "application/octet-stream"
        return await self._put_file(Scene, address, path, kind, on_progress)

    async def download_held_out(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch the picture (png) of the views that were held out; returns its bytes.

        Raises:
            OutputError: If the file cannot be written.
        """
        address = scene_path(scene_id, "held-out")
        return await self._fetch_file(address, path, on_progress)


def _build(
    weights: str | None,
    size: Size | None,
    views: Views | None,
    framing: str,
    up: Sequence[float] | None,
    convention: str,
    holdout: int | None,
) -> dict[str, Any]:
    """The body of a request to build."""
    return given(
        weights=weights,
        size=size,
        views={"indices": list(views)} if isinstance(views, Sequence) else views,
        framing=framing,
        up=None if up is None else list(up),
        convention=None if convention == "opencv" else convention,
        holdout=holdout,
    )


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone().isoformat()
