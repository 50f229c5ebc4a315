"""Messages of the render stream, `WS /v1/scenes/{scene_id}/stream`.

A client sends `StreamRender` and `Ping` as text. The service answers each render by
one binary message (a uint32 little-endian header length, the header `FrameHeader` as
JSON, the picture), or by a text message `StreamDropped` or `StreamProblem`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nvs.api.renders import LOOK_AT, ImageFormat, Quality, RenderRequest
from nvs.api.scenes import Scene
from nvs.api.system import Problem, Tier
from nvs.api.values import Integer, Schema, examples

Sequence = Annotated[Integer, Field(ge=0, lt=2**53)]
"""The client's number of a request; the answer carries it."""


class StreamRender(RenderRequest):
    """A pose to render; a newer one replaces it while it waits."""

    model_config = examples(
        {"sequence": 7, "camera": LOOK_AT, "height": 256, "width": 256}
    )

    sequence: Sequence
    """Comes back with the picture."""
    format: ImageFormat = "jpeg"
    """Encoding of the picture."""
    quality: Quality = 85
    """Of jpeg and webp."""


class Ping(Schema):
    """Keeps the stream open; answered by a pong."""

    type: Literal["ping"]


class Timings(Schema):
    """Where the time of one picture went; together from arrival to answer."""

    queue_ms: float
    """Waiting for other work."""
    load_ms: float
    """Waiting for the scene to be loaded."""
    model_ms: float
    """The network, for the batch that the picture was part of."""
    encode_ms: float
    """Background and encoding."""


class FrameHeader(Schema):
    """What stands before the picture in a binary message."""

    sequence: int
    height: int
    width: int
    format: ImageFormat
    timings: Timings
    tier: Tier
    """Where the scene was."""


class StreamReady(Schema):
    """The first message: the stream takes poses."""

    type: Literal["ready"] = "ready"
    scene: Scene
    max_in_flight: int
    """Poses worked on at once; one more may wait."""


class StreamDropped(Schema):
    """A newer pose replaced this one before it was begun."""

    type: Literal["dropped"] = "dropped"
    sequence: int


class StreamProblem(Schema):
    """A request that failed, or with `sequence` null the stream itself."""

    type: Literal["problem"] = "problem"
    sequence: int | None
    problem: Problem


class Pong(Schema):
    """Answer to a ping."""

    type: Literal["pong"] = "pong"
