"""Questions about scenes, jobs and the service: one call, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import EllipsisType
from typing import Any, TypeVar
from urllib.parse import quote

from nvs.client.decode import decoded
from nvs.client.models import (
    CamerasReport,
    Capacity,
    ImageFiles,
    Inputs,
    Job,
    JobPage,
    Me,
    Models,
    Scene,
    ScenePage,
    Ticket,
    Validation,
)
from nvs.client.steps import Call, Flow, answer, once

PAGE_SIZE = 50

T = TypeVar("T")


def scene_path(scene_id: str, *parts: str) -> str:
    """Address of a scene or of a part of it; parts are quoted, slashes stay."""
    return "/".join(["/v1/scenes", quote(scene_id, safe=""), *map(quote, parts)])


def job_path(job_id: str, *parts: str) -> str:
    """Address of a job or of a part of it."""
    return "/".join(["/v1/jobs", quote(job_id, safe=""), *parts])


def asked(kind: type[T], call: Call) -> Flow[T]:
    """The JSON answer to a call."""
    return decoded(kind, (yield from answer(call)))


def me() -> Flow[Me]:
    """Who the caller is."""
    return asked(Me, Call(method="GET", path="/v1/me"))


def models() -> Flow[Models]:
    """What the service builds with."""
    return asked(Models, Call(method="GET", path="/v1/models"))


def capacity() -> Flow[Capacity]:
    """How busy the service is."""
    return asked(Capacity, Call(method="GET", path="/v1/capacity"))


def ticket() -> Flow[Ticket]:
    """A ticket for one stream."""
    return asked(Ticket, Call(method="POST", path="/v1/tickets"))


def create_scene(
    name: str, tags: Sequence[str], expires_at: datetime | None
) -> Flow[Scene]:
    """Make a scene."""
    body = {"name": name, "tags": list(tags), "expires_at": _time(expires_at)}
    return asked(Scene, once(Call(method="POST", path="/v1/scenes", json=body)))


def scene(scene_id: str) -> Flow[Scene]:
    """One scene."""
    return asked(Scene, Call(method="GET", path=scene_path(scene_id)))


def scenes(tag: str | None, state: str | None, cursor: str | None) -> Flow[ScenePage]:
    """One page of scenes."""
    params = _given(limit=PAGE_SIZE, cursor=cursor, tag=tag, state=state)
    return asked(ScenePage, Call(method="GET", path="/v1/scenes", params=params))


def update_scene(
    scene_id: str,
    name: str | None,
    tags: Sequence[str] | None,
    expires_at: datetime | EllipsisType | None,
) -> Flow[Scene]:
    """Change a scene's description."""
    changes = _given(name=name, tags=None if tags is None else list(tags))
    if not isinstance(expires_at, EllipsisType):
        changes["expires_at"] = _time(expires_at)
    return asked(Scene, Call(method="PATCH", path=scene_path(scene_id), json=changes))


def delete_scene(scene_id: str) -> Flow[None]:
    """Delete a scene with all that belongs to it."""
    yield from answer(Call(method="DELETE", path=scene_path(scene_id)))


def images(scene_id: str) -> Flow[ImageFiles]:
    """The uploaded images."""
    return asked(ImageFiles, Call(method="GET", path=scene_path(scene_id, "images")))


def image(scene_id: str, name: str) -> Flow[bytes]:
    """An uploaded image as it was uploaded."""
    call = Call(method="GET", path=scene_path(scene_id, "images", name))
    return (yield from answer(call)).content


def delete_image(scene_id: str, name: str) -> Flow[None]:
    """Take one uploaded image away."""
    path = scene_path(scene_id, "images", name)
    yield from answer(Call(method="DELETE", path=path))


def cameras(scene_id: str) -> Flow[CamerasReport]:
    """What the uploaded cameras say."""
    path = scene_path(scene_id, "cameras")
    return asked(CamerasReport, Call(method="GET", path=path))


def validation(scene_id: str) -> Flow[Validation]:
    """What is wrong with the uploaded capture."""
    path = scene_path(scene_id, "validation")
    return asked(Validation, Call(method="GET", path=path))


def inputs(scene_id: str) -> Flow[Inputs]:
    """The inputs of a built scene."""
    return asked(Inputs, Call(method="GET", path=scene_path(scene_id, "inputs")))


def job(job_id: str) -> Flow[Job]:
    """One job."""
    return asked(Job, Call(method="GET", path=job_path(job_id)))


def jobs(scene_id: str | None, state: str | None, cursor: str | None) -> Flow[JobPage]:
    """One page of jobs."""
    params = _given(limit=PAGE_SIZE, cursor=cursor, scene_id=scene_id, state=state)
    return asked(JobPage, Call(method="GET", path="/v1/jobs", params=params))


def cancel_job(job_id: str) -> Flow[Job]:
    """Ask that a job be stopped."""
    return asked(Job, Call(method="POST", path=job_path(job_id, "cancel")))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone().isoformat()
