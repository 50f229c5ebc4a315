"""Posings, builds and videos: what is asked for, and how far it has come."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    StringConstraints,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from nvs.api.framing import Convention, Framing, UpAxis
from nvs.api.posing import PoseRequest, PosingSketch
from nvs.api.scenes import Failure, JobKind
from nvs.api.values import MAX_SIDE_PX, Integer, ObjectId, Schema, examples
from nvs.errors import ConfigError

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
JobStage = Literal[
    "waiting",
    "reading images",
    "prefill",
    "rendering",
    "storing",
    "decode",
    "features",
    "matching",
    "mapping",
    "framing",
    "cutting out",
]
"""The last is that of masks, the five before are those of posing."""

SelectionMethod = Literal["kmeans", "farthest", "uniform", "random"]

MAX_VIEWS = 4096
Side = Annotated[Integer, Field(ge=16, le=MAX_SIDE_PX)]
"""Height, width or longer side in pixels."""
WeightsId = Annotated[
    str,
    StringConstraints(
        strict=True, min_length=1, max_length=255, pattern=r"^[^/\x00-\x1f\x7f]+$"
    ),
]
"""Id of a model, as `GET /v1/models` lists it."""

JOB_EXAMPLE: dict[str, Any] = {
    "id": "orugs4zanfzsa5dimuqgc3tt4a",
    "kind": "build",
    "scene_id": "mfzwizltoqydcmrtgu3dqmrvge",
    "state": "running",
    "stage": "prefill",
    "progress": 0.5,
    "eta_seconds": 4.2,
    "attempts": 1,
    "created_at": "2026-01-02T03:04:05Z",
    "started_at": "2026-01-02T03:04:05Z",
    "finished_at": None,
    "parameters": {"size": 64, "views": {"indices": [0, 4, 8]}},
    "error": None,
    "result": None,
}


class CountedViews(Schema):
    """So many views of the capture, chosen by a method."""

    count: Integer = Field(ge=1, le=MAX_VIEWS)
    """How many."""
    method: SelectionMethod = "kmeans"
    """How they are chosen."""
    seed: Integer = Field(default=0, ge=0, lt=2**31)
    """For `kmeans` and `random`: the same seed chooses the same views."""


class ListedViews(Schema):
    """Views of the capture by index."""

    indices: list[Annotated[Integer, Field(ge=0)]] = Field(
        min_length=1, max_length=MAX_VIEWS
    )
    """Indices of frames, from 0, each once."""

    @field_validator("indices")
    @classmethod
    def _different(cls, indices: list[int]) -> list[int]:
        repeated = sorted({index for index in indices if indices.count(index) > 1})
        if repeated:
            raise ConfigError(
                f"view {repeated[0]} is listed more than once",
                remedy="List each view once.",
            )
        return indices


def _as_views(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, dict):
        return handler(value)
    form = ListedViews if "indices" in value else CountedViews
    return form.model_validate(value)


_LONGER_SIDE: TypeAdapter[int] = TypeAdapter(Side)
_BOTH_SIDES: TypeAdapter[tuple[int, int]] = TypeAdapter(tuple[Side, Side])


def _as_size(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Pick the form by its kind, so that messages are about the form meant."""
    if not isinstance(value, list | tuple):
        return _LONGER_SIDE.validate_python(value)
    if len(value) != 2:
        raise ConfigError(
            f"size has {len(value)} numbers",
            remedy="Give the longer side, or [height, width].",
        )
    return _BOTH_SIDES.validate_python(value)


class BuildRequest(Schema):
    """How to build a scene from its uploaded images and cameras."""

    model_config = examples(
        {},
        {"size": 256, "views": {"count": 16, "method": "kmeans"}, "holdout": 8},
        {
            "weights": "lact-tiny",
            "size": [64, 64],
            "views": {"indices": [0, 4]},
        },
    )

    weights: WeightsId | None = None
    """The model; the default one if absent."""
    size: Annotated[Side | tuple[Side, Side], WrapValidator(_as_size)] | None = None
    """Longer side, or [height, width], in pixels; the model's own if absent."""
    views: Annotated[CountedViews | ListedViews, WrapValidator(_as_views)] | None = None
    """Which views to use; all if absent."""
    framing: Framing = "auto"
    """How poses are normalised: `auto` is as the cameras and the weights say, and is
    refused where that is hopeless; the others always build."""
    up: UpAxis | None = None
    """Up axis of the capture's world; found from the cameras if absent."""
    convention: Convention = "opencv"
    """How the poses of the cameras were stored, if not as their layout says."""
    holdout: Annotated[Integer, Field(ge=2, le=MAX_VIEWS)] | None = None
    """Keep every n-th view out, render it and say how close it comes; none is kept
    out if absent."""
    pose: PoseRequest | None = None
    """Where the scene has no cameras: find them first, so. The answer is then the job
    of kind `pose`, whose result names the `build_job_id` that follows it."""


class Job(Schema):
    """A posing, a build, a video, or the making of masks."""

    model_config = examples(JOB_EXAMPLE)

    id: ObjectId
    """Its id."""
    kind: JobKind
    """What it makes."""
    scene_id: ObjectId
    """The scene it is for."""
    state: JobState
    """The last three are final."""
    stage: JobStage
    """What is being done."""
    progress: float
    """From 0 to 1."""
    eta_seconds: float | None
    """Estimated time to the end; null if not known yet."""
    attempts: int
    """How often it was started."""
    created_at: datetime
    """When it was asked for."""
    started_at: datetime | None
    """When it last began to run."""
    finished_at: datetime | None
    """When it reached a final state."""
    parameters: dict[str, Any]
    """What was asked for."""
    error: Failure | None
    """Why it failed."""
    sketch: PosingSketch | None = None
    """Of a posing that runs: which photographs have a camera so far, and where."""
    result: dict[str, Any] | None
    """What came of it: `num_bytes`, `height`, `width` and more; of a build also its
    `expectation`, and `held_out` where views were; of a posing its report, and the
    `build_job_id` where a build was asked for with it; of masks how well they agree."""

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("succeeded", "failed", "cancelled")


class JobPage(Schema):
    """Jobs, newest first."""

    model_config = examples({"items": [JOB_EXAMPLE], "next_cursor": None})

    items: list[Job]
    """This page."""
    next_cursor: str | None
    """Give it as `cursor` for the next page; null on the last one."""
