"""Scenes, their files, and what is known about their inputs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    StringConstraints,
)

from nvs.api.cameras import IDENTITY, PosedCamera
from nvs.api.framing import EXPECTATION_EXAMPLE, Expectation, HeldOut, UpAxis
from nvs.api.posing import Posing
from nvs.api.values import ObjectId, Schema, Sha256, examples
from nvs.errors import ConfigError

SceneState = Literal["empty", "uploading", "building", "ready", "failed"]
JobKind = Literal["build", "video", "pose", "mask"]
Name = Annotated[
    str,
    StringConstraints(
        strict=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
"""A name for people: 1 to 200 characters, none of them a control character."""
Tag = Annotated[
    str,
    StringConstraints(
        strict=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
Tags = Annotated[list[Tag], Field(max_length=32)]

SCENE_EXAMPLE = {
    "id": "mfzwizltoqydcmrtgu3dqmrvge",
    "name": "chair",
    "tags": ["demo"],
    "state": "ready",
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:05:06Z",
    "expires_at": None,
    "num_images": 24,
    "num_masks": 0,
    "has_cameras": True,
    "input_bytes": 1234567,
    "scene_bytes": 2583632,
    "weights": "lact-tiny",
    "height": 64,
    "width": 64,
    "num_views": 8,
    "up": [0.0, 0.0, 1.0],
    "unframed": False,
    "held_out": None,
    "has_video": False,
    "posing": None,
    "job_id": "orugs4zanfzsa5dimuqgc3tt4a",
    "job_kind": "build",
    "error": None,
}
IMAGE_EXAMPLE = {
    "name": "images/0001.jpg",
    "sha256": "9f" * 32,
    "num_bytes": 48211,
    "height": 512,
    "width": 512,
}


def _as_text(value: Any) -> Any:
    """Refuse numbers, which would be taken for Unix times."""
    if value is None or isinstance(value, str | datetime):
        return value
    raise ConfigError(
        "the time is not a text", remedy="Write it as 2030-01-02T03:04:05Z."
    )


def _as_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ConfigError(
            f"{value.isoformat()} is not within the years 1 to 9999 in UTC",
            remedy="Give an earlier time, or null for never.",
        ) from error


Expiry = Annotated[AwareDatetime, AfterValidator(_as_utc), BeforeValidator(_as_text)]
"""A time with its zone, as RFC 3339 has it."""


class SceneCreate(Schema):
    """A new scene, still without files."""

    model_config = examples({"name": "chair", "tags": ["demo"]})

    name: Name
    """What people call it; need not be unique."""
    tags: Tags = Field(default=[])
    """Words to find it by."""
    expires_at: Expiry | None = None
    """When it is to be deleted; RFC 3339 with a time zone."""


class SceneUpdate(Schema):
    """What to change; fields that are absent stay."""

    model_config = examples({"name": "red chair", "expires_at": None})

    name: Name = ""
    """A new name."""
    tags: Tags = Field(default=[])
    """New tags, instead of all earlier ones."""
    expires_at: Expiry | None = None
    """A new time to delete it, or null for never."""
    up: UpAxis = (0.0, 0.0, 1.0)
    """What is up in its world, for orbits and the page, until it is built again."""


class Failure(Schema):
    """Why a build, a video or a scene failed."""

    problem: str
    """What is wrong."""
    remedy: str
    """What to do about it."""


class Scene(Schema):
    """A scene: uploaded inputs, and once built its scene file."""

    model_config = examples(SCENE_EXAMPLE)

    id: ObjectId
    """Its id."""
    name: str
    """What people call it."""
    tags: list[str]
    """Words to find it by."""
    state: SceneState
    """`ready` can be rendered; `failed` has an `error`; `building` is built or posed,
    and its files cannot change."""
    created_at: datetime
    """When it was made."""
    updated_at: datetime
    """When it last changed."""
    expires_at: datetime | None
    """When it will be deleted; null for never."""
    num_images: int
    """Uploaded images, masks among them."""
    num_masks: int = 0
    """Those of them that are masks of others."""
    has_cameras: bool
    """Whether camera files are there, uploaded or found by posing."""
    has_video: bool = False
    """Whether a video is uploaded."""
    input_bytes: int
    """Bytes of uploaded files."""
    scene_bytes: int
    """Bytes of the scene file; 0 where there is none."""
    weights: str | None
    """The weights that built it."""
    height: int | None
    """Height of the inputs in pixels, as the network saw them."""
    width: int | None
    """Width of the inputs in pixels, as the network saw them."""
    num_views: int | None
    """Input views of the build."""
    up: tuple[float, float, float] | None = None
    """Unit vector that is up in its world; null where a build did not yet say so."""
    unframed: bool | None = None
    """Whether it was left as it was where `auto` would frame it: build it again; null
    where a build did not yet say so."""
    held_out: HeldOut | None = None
    """How close it comes to views that were kept out of the build."""
    posing: Posing | None = None
    """What came of finding its cameras; null where they were uploaded."""
    job_id: ObjectId | None
    """The latest build, posing or making of masks."""
    job_kind: JobKind | None = None
    """Which of these it is."""
    error: Failure | None
    """Why it failed."""


class ScenePage(Schema):
    """Scenes, newest first."""

    model_config = examples({"items": [SCENE_EXAMPLE], "next_cursor": None})

    items: list[Scene]
    """This page."""
    next_cursor: str | None
    """Give it as `cursor` for the next page; null on the last one."""


class ImageFile(Schema):
    """An uploaded image."""

    model_config = examples(IMAGE_EXAMPLE)

    name: str
    """Path within the scene."""
    sha256: Sha256
    """Digest of its bytes."""
    num_bytes: int
    """Size of the file."""
    height: int
    """Height in pixels."""
    width: int
    """Width in pixels."""


class VideoUpload(Schema):
    """The uploaded video of a scene."""

    model_config = examples({"sha256": "9f" * 32, "num_bytes": 48211000})

    sha256: Sha256
    """Digest of its bytes."""
    num_bytes: int
    """Size of the file."""


class ImageFiles(Schema):
    """Every uploaded image of a scene."""

    model_config = examples({"items": [IMAGE_EXAMPLE]})

    items: list[ImageFile]
    """By name."""


class CamerasReport(Schema):
    """What the uploaded cameras say."""

    model_config = examples(
        {"layout": "opencv", "num_frames": 24, "num_missing": 0, "missing": []}
    )

    layout: str
    """The recognised dataset layout."""
    num_frames: int
    """Frames listed, with and without an uploaded image."""
    num_missing: int
    """Frames whose image is not uploaded."""
    missing: list[str]
    """The first 20 of those images."""


class DatasetReport(CamerasReport):
    """What an uploaded dataset holds."""

    model_config = examples(
        {
            "layout": "opencv",
            "num_frames": 24,
            "num_missing": 0,
            "missing": [],
            "num_images": 24,
        }
    )

    num_images: int
    """Images taken from it."""


class Finding(Schema):
    """One fault of a capture."""

    severity: Literal["error", "warning", "note"]
    """Error: views cannot be used. Warning: results suffer. Note: worth knowing."""
    title: str
    """Which fault."""
    detail: str
    """What is wrong, with names and values."""
    remedy: str
    """What to do about it."""
    views: list[str]
    """Names of the views; empty for the capture as a whole."""


class Validation(Schema):
    """What is wrong with a capture, before it is built."""

    model_config = examples(
        {
            "verdict": "warning",
            "findings": [
                {
                    "severity": "warning",
                    "title": "blurred",
                    "detail": "images/0003.jpg is blurred",
                    "remedy": "Take it again or leave it out.",
                    "views": ["images/0003.jpg"],
                }
            ],
            "expectation": EXPECTATION_EXAMPLE,
        }
    )

    verdict: Literal["error", "warning", "ok"]
    """The worst severity among errors and warnings."""
    findings: list[Finding]
    """Errors first."""
    expectation: Expectation | None = None
    """How a build would frame it, and what to expect; null where an error is in the
    way."""


INPUT_EXAMPLE: dict[str, Any] = {
    "index": 0,
    "name": "images/0001.jpg",
    "camera": {
        "world_from_camera": IDENTITY,
        "fx": 70.0,
        "fy": 70.0,
        "cx": 32.0,
        "cy": 32.0,
    },
    "height": 64,
    "width": 64,
}


class Input(Schema):
    """One input view of a built scene."""

    model_config = examples(INPUT_EXAMPLE)

    index: int
    """Its place among the inputs, from 0."""
    name: str
    """Its image."""
    camera: PosedCamera
    """Its camera in the user's world, for the image as the network saw it."""
    height: int
    """Height in pixels, as the network saw it."""
    width: int
    """Width in pixels, as the network saw it."""


class Inputs(Schema):
    """The inputs of a built scene."""

    model_config = examples({"items": [INPUT_EXAMPLE]})

    items: list[Input]
    """By index."""
