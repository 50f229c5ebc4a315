"""What the service answers, as frozen values. Times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nvs.client.cameras import PosedCamera

FINAL_STATES = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a job or a scene failed."""

    problem: str
    remedy: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """A scene of the service: uploaded inputs, and once built its scene file."""

    id: str
    name: str
    tags: tuple[str, ...]
    state: str
    """empty, uploading, building, ready (can be rendered) or failed."""
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    num_images: int
    has_cameras: bool
    input_bytes: int
    scene_bytes: int | None
    weights: str | None
    height: int | None
    """Height of the inputs in pixels, as the network saw them."""
    width: int | None
    num_views: int | None
    job_id: str | None
    """The latest build."""
    error: Failure | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenePage:
    """Some scenes, newest first."""

    items: tuple[Scene, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFile:
    """An uploaded image."""

    name: str
    sha256: str
    num_bytes: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFiles:
    """Every uploaded image of a scene."""

    items: tuple[ImageFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CamerasReport:
    """What uploaded camera files say, and which of their images are not there."""

    layout: str
    num_frames: int
    num_missing: int
    missing: tuple[str, ...]
    """At most 20 names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One fault of a capture."""

    severity: str
    """error, warning or note."""
    title: str
    detail: str
    remedy: str
    views: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """What is wrong with a capture."""

    verdict: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """An input view as the network saw it; its camera is in the user's world."""

    index: int
    name: str
    camera: PosedCamera
    height: int
    width: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Every input of a built scene."""

    items: tuple[Input, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A build or a video."""

    id: str
    kind: str
    scene_id: str
    state: str
    """queued, running, succeeded, failed or cancelled."""
    stage: str
    progress: float
    """From 0 to 1."""
    eta_seconds: float | None
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parameters: dict[str, Any]
    error: Failure | None
    result: dict[str, Any] | None

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPage:
    """Some jobs, newest first."""

    items: tuple[Job, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Quotas:
    """Most that an owner may have; None is no limit."""

    scenes: int | None
    bytes: int | None
    builds_per_day: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What an owner has."""

    scenes: int
    bytes: int
    builds_today: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Me:
    """Who the caller is to the service."""

    owner: str
    key_name: str | None
    scopes: tuple[str, ...]
    quotas: Quotas
    usage: Usage
    auth: str
    """open (no key was ever made) or key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """Weights that the service builds and renders with."""

    id: str
    is_default: bool
    poses: str
    """object or scene: what they were trained on."""
    patch_size: int
    """Heights and widths are multiples of it, in pixels."""
    num_parameters: int
    digest: str
    trained_height: int | None
    """Image height in pixels that they were trained at; None if not known."""
    trained_width: int | None
    max_height: int
    max_width: int
    max_views: int
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Models:
    """Every model of the service."""

    items: tuple[Model, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """The process of one device."""

    device: str
    state: str
    num_restarts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """What waits, and how much may."""

    renders: int
    renders_limit: int
    jobs: int
    jobs_limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheTier:
    """One tier of the scene cache: device, host or disk."""

    tier: str
    bytes: int
    bytes_limit: int
    scenes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """How busy the service is."""

    workers: tuple[Worker, ...]
    queue: Queue
    cache: tuple[CacheTier, ...]
    draining: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """Stands in for the key when a stream is opened."""

    ticket: str
    expires_in_seconds: int
