"""Scenes: made, listed, changed, deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool

from nvs.api.scenes import (
    Scene,
    SceneCreate,
    ScenePage,
    SceneState,
    SceneUpdate,
    Tag,
)
from nvs_server.edge.problems import invalid, not_found
from nvs_server.routes.dependencies import (
    JSON_BODY,
    IdempotencyKey,
    Jobs,
    ReadableScene,
    Reader,
    Runner,
    Scenes,
    WritableScene,
    Writer,
    built_file,
    errors,
)
from nvs_server.storage.records import KEEP, SceneRecord

MAX_PAGE = 200
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items of a page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="`next_cursor` of the page before."),
]

router = APIRouter(prefix="/v1/scenes", tags=["scenes"])


@router.post(
    "",
    status_code=201,
    operation_id="create_scene",
    summary="Make a scene",
    response_description="The new scene; Location is its address.",
    response_model=Scene,
    responses=errors(
        *(*JSON_BODY, "quota-exceeded", "idempotency-conflict", "disk-full")
    ),
)
def create(
    body: SceneCreate,
    response: Response,
    caller: Writer,
    scenes: Scenes,
    idempotency_key: IdempotencyKey = None,
) -> SceneRecord:
    """Make an empty scene, to upload images and cameras or a scene file to.

    With an Idempotency-Key that made a scene before, this answers that scene, for as
    long as it is there.
    """
    _check_future(body.expires_at)
    scene = scenes.create(
        caller.owner,
        body.name,
        body.tags,
        body.expires_at,
        limit_scenes=caller.quotas.scenes,
        idempotency_key=idempotency_key,
    )
    response.headers["Location"] = f"/v1/scenes/{scene.id}"
    return scene


@router.get(
    "",
    operation_id="list_scenes",
    summary="List scenes",
    response_description="A page of scenes.",
    responses=errors("invalid"),
)
def list_page(
    caller: Reader,
    scenes: Scenes,
    limit: Limit = 50,
    cursor: Cursor = None,
    tag: Annotated[Tag | None, Query(description="Only scenes with this tag.")] = None,
    state: Annotated[
        SceneState | None, Query(description="Only scenes in this state.")
    ] = None,
) -> ScenePage:
    """The caller's scenes, newest first."""
    items, next_cursor = scenes.list(
        caller.owner, limit=limit, cursor=cursor, tag=tag, state=state
    )
    return ScenePage(items=list(items), next_cursor=next_cursor)


@router.get(
    "/{scene_id}",
    operation_id="get_scene",
    summary="Get a scene",
    response_description="The scene.",
    response_model=Scene,
    responses=errors("not-found"),
)
async def get(scene: ReadableScene) -> SceneRecord:
    """One scene."""
    return scene


@router.patch(
    "/{scene_id}",
    operation_id="update_scene",
    summary="Change a scene",
    response_description="The scene as it is now.",
    response_model=Scene,
    responses=errors(*JSON_BODY, "not-found", "not-built", "building", "disk-full"),
)
async def update(
    scene: WritableScene, body: SceneUpdate, caller: Writer, scenes: Scenes
) -> SceneRecord:
    """Change name, tags, time of deletion or up axis; fields that are absent stay."""
    given = body.model_fields_set
    if "up" in given:
        built_file(scene)
    _check_future(body.expires_at)
    return await run_in_threadpool(
        scenes.update,
        caller.owner,
        scene.id,
        name=body.name if "name" in given else None,
        tags=body.tags if "tags" in given else None,
        expires_at=body.expires_at if "expires_at" in given else KEEP,
        up=body.up if "up" in given else None,
    )


@router.delete(
    "/{scene_id}",
    status_code=204,
    operation_id="delete_scene",
    summary="Delete a scene",
    response_description="It is gone.",
    responses=errors("not-found", "disk-full"),
)
async def delete(
    scene: WritableScene, caller: Writer, scenes: Scenes, jobs: Jobs, runner: Runner
) -> None:
    """Delete a scene with its files and videos, and cancel its jobs."""
    running, _ = await run_in_threadpool(
        jobs.list, caller.owner, scene_id=scene.id, state="running", limit=MAX_PAGE
    )
    if not await run_in_threadpool(scenes.delete, caller.owner, scene.id):
        raise not_found(f"scene {scene.id!r} of yours")
    for job in running:
        runner.cancelled(job.id)


def _check_future(expires_at: AwareDatetime | None) -> None:
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise invalid(
            "expires_at",
            f"{expires_at.isoformat()} has passed",
            remedy="Give a time in the future, or null for never.",
        )
