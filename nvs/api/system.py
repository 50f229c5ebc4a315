"""The service about itself: keys, models, capacity, tickets, problems."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from nvs.api.values import Schema, examples

Scope = Literal["read", "write", "render", "metrics", "admin"]
Poses = Literal["object", "scene"]
Tier = Literal["device", "host", "disk"]


class FieldProblem(Schema):
    """One invalid value of a request."""

    field: str
    """Where it stands, such as `camera.world_from_camera`."""
    problem: str
    """What is wrong."""
    remedy: str
    """What to do about it."""


class Problem(Schema):
    """An error, as RFC 9457 has it (`application/problem+json`)."""

    model_config = examples(
        {
            "type": "https://lact-nvs.dev/problems/not-found",
            "title": "Not found",
            "status": 404,
            "detail": "there is no scene aaaaaaaaaaaaaaaaaaaaaaaaaa",
            "remedy": "List the scenes with GET /v1/scenes.",
            "request_id": "01hzy3c8c7y4n0v3g8m9w2k5t6",
            "errors": [],
        }
    )

    type: str
    """URI of the kind of problem; its last part is the stable slug."""
    title: str
    """Name of the kind."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong, with names and values."""
    remedy: str
    """What to do about it."""
    request_id: str
    """Id of the request in the service's log."""
    errors: list[FieldProblem] = Field(default=[])
    """The invalid values, where there are some."""


class Quotas(Schema):
    """Most that an owner may have; null is no limit."""

    scenes: int | None = None
    """Scenes."""
    bytes: int | None = None
    """Bytes of uploads, scene files and videos."""
    builds_per_day: int | None = None
    """Builds since midnight UTC."""


class Usage(Schema):
    """What an owner has."""

    scenes: int
    """Scenes that have not expired."""
    bytes: int
    """Bytes of uploads, scene files and videos."""
    builds_today: int
    """Builds since midnight UTC, whatever became of them."""


class Me(Schema):
    """Who the caller is to the service."""

    model_config = examples(
        {
            "owner": "ada",
            "key_name": "laptop",
            "scopes": ["read", "render", "write"],
            "quotas": {"scenes": 100, "bytes": None, "builds_per_day": 50},
            "usage": {"scenes": 3, "bytes": 8123456, "builds_today": 1},
            "auth": "key",
        }
    )

    owner: str
    """Whose scenes the caller sees."""
    key_name: str | None
    """Name of the key; null without one."""
    scopes: list[Scope]
    """What the key may do."""
    quotas: Quotas
    """Limits."""
    usage: Usage
    """What counts towards them."""
    auth: Literal["open", "key"]
    """Whether the service asks for keys."""


MODEL_EXAMPLE: dict[str, Any] = {
    "id": "lact_small",
    "is_default": True,
    "poses": "object",
    "patch_size": 4,
    "num_parameters": 11872041,
    "digest": "3f" * 32,
    "trained_height": 128,
    "trained_width": 128,
    "max_height": 2048,
    "max_width": 2048,
    "max_views": 256,
    "precision": "bfloat16",
    "description": "Small object weights that come with the package.",
}


class Model(Schema):
    """Weights that this service builds and renders with."""

    model_config = examples(MODEL_EXAMPLE)

    id: str
    """What a build calls them."""
    is_default: bool
    """Whether a build without `weights` uses them."""
    poses: Poses
    """What they were trained on."""
    patch_size: int
    """Heights and widths must be multiples of it, in pixels."""
    num_parameters: int
    """Parameters of the network."""
    digest: str
    """Digest of the weights."""
    trained_height: int | None
    """Image height in pixels they were trained at, where it is known."""
    trained_width: int | None
    """Image width in pixels they were trained at, where it is known."""
    max_height: int
    """Largest height in pixels that is built or rendered."""
    max_width: int
    """Largest width in pixels that is built or rendered."""
    max_views: int
    """Most input views of a build."""
    precision: str = ""
    """What it computes with, such as `bfloat16`; empty where a service does not say."""
    description: str
    """One line about them."""


class Models(Schema):
    """Every model of this service."""

    model_config = examples({"items": [MODEL_EXAMPLE]})

    items: list[Model]
    """The default first."""


class Worker(Schema):
    """A worker's process for one device."""

    device: str
    """Such as `cpu` or `cuda:0`."""
    state: str
    """`starting`, `ready`, `restarting` or `stopped`."""
    num_restarts: int
    """How often it had to be started again."""


class Queue(Schema):
    """What waits."""

    renders: int
    """Renders waiting or running."""
    renders_limit: int
    """From this many on further renders are refused."""
    jobs: int
    """Jobs waiting or running."""
    jobs_limit: int
    """From this many on further jobs are refused."""


class CacheTier(Schema):
    """One tier of the scene cache."""

    tier: Tier
    """Where."""
    bytes: int
    """In use."""
    bytes_limit: int
    """The budget."""
    scenes: int
    """Scenes in it."""


class Capacity(Schema):
    """How busy the service is."""

    model_config = examples(
        {
            "workers": [{"device": "cuda:0", "state": "ready", "num_restarts": 0}],
            "queue": {
                "renders": 2,
                "renders_limit": 64,
                "jobs": 1,
                "jobs_limit": 100,
            },
            "cache": [
                {
                    "tier": "device",
                    "bytes": 339738624,
                    "bytes_limit": 8589934592,
                    "scenes": 2,
                }
            ],
            "draining": False,
        }
    )

    workers: list[Worker]
    """One a device."""
    queue: Queue
    """Waiting work."""
    cache: list[CacheTier]
    """The scene cache, fastest tier first."""
    draining: bool
    """Whether the service is shutting down and takes no more work."""


class Ticket(Schema):
    """Stands in for a key on one WebSocket, where headers cannot be set."""

    model_config = examples({"ticket": "q3Zr…", "expires_in_seconds": 30})

    ticket: str
    """Append it as `?ticket=` to the stream's address; works once."""
    expires_in_seconds: int
    """How long it may be used."""
