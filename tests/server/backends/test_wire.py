"""Messages survive the wire; anything else is refused."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from nvs.errors import CameraError, DatasetError, MissingExtraError, NvsError
from nvs_server.backends import wire
from nvs_server.backends.base import (
    BackendError,
    BuildOrder,
    CameraRecord,
    ChosenViews,
    PrepareOrder,
    RenderOrder,
    SampledViews,
    SceneDamaged,
    SceneRef,
    Trajectory,
    VideoOrder,
    WorkerLost,
)

SCENE = SceneRef(scene_id="s", sha256="0" * 64, num_bytes=9, weights="lact_tiny")
CAMERA = CameraRecord(
    world_from_camera=((1.0, 0, 0, 0.1), (0, 1, 0, 1 / 3), (0, 0, 1, 0), (0, 0, 0, 1)),
    fx=70.1,
    fy=70.2,
    cx=32.0,
    cy=31.0,
)
ORDERS = [
    RenderOrder(scene=SCENE, cameras=(CAMERA,) * 2, height=64, width=72),
    PrepareOrder(folder=Path("/a"), output=Path("/b"), size=(64, 72)),
    PrepareOrder(
        folder=Path("/a"), output=Path("/b"), size=64, views=ChosenViews(indices=(3, 1))
    ),
    PrepareOrder(
        folder=Path("/a"), output=Path("/b"), views=SampledViews(count=3, seed=1)
    ),
    BuildOrder(views=Path("/v"), output=Path("/o"), weights="w", framing="object"),
    VideoOrder(
        scene=SCENE,
        trajectory=Trajectory(elevation_degrees=20.5),
        height=64,
        width=64,
        output=Path("/v.mp4"),
    ),
    VideoOrder(
        scene=SCENE,
        camera_path={"camera_path": [{"fov": 50.0}], "fps": 24},
        height=64,
        width=64,
        output=Path("/v.mp4"),
    ),
]


def received(data: bytes) -> list[tuple[wire.Message, bytes]]:
    """All messages of bytes after which the other side closes."""

    async def read() -> list[tuple[wire.Message, bytes]]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        messages: list[tuple[wire.Message, bytes]] = []
        while (message := await wire.receive(reader)) is not None:
            messages.append(message)
        return messages

    return asyncio.run(read())


def test_messages_come_as_they_were_sent() -> None:
    sent = [({"id": 1, "ö": [0.1, None]}, b""), ({"id": 2}, bytes(range(256)))]
    assert received(b"".join(wire.packed(*message) for message in sent)) == sent


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_orders_come_as_they_were_given(order: Any) -> None:
    text = json.dumps(wire.to_json(order))
    assert wire.from_json(type(order), json.loads(text)) == order


def test_a_message_that_ends_early_is_refused_wherever_it_ends() -> None:
    data = wire.packed({"id": 1}, b"blob")
    for end in range(1, len(data)):
        with pytest.raises(wire.WireError, match="ends early"):
            received(data[:end])


def test_an_oversized_message_is_refused_before_it_is_read() -> None:
    for head in ((wire.MAX_JSON_BYTES + 1, 0), (2, wire.MAX_BLOB_BYTES + 1)):
        with pytest.raises(wire.WireError, match="a message of"):
            received(wire.LENGTHS.pack(*head))
    with pytest.raises(wire.WireError, match="a message of"):
        wire.packed({"long": "x" * wire.MAX_JSON_BYTES})


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[1]", b"7", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(wire.WireError, match="a message that is no"):
        received(wire.LENGTHS.pack(len(text), 0) + text)


def test_noise_is_refused() -> None:
    generator = random.Random(0)
    whole = wire.packed({"id": 1, "event": "result"}, b"blob")
    for _ in range(200):
        data = bytearray(whole)
        data[generator.randrange(8)] ^= 1 << generator.randrange(8)
        with pytest.raises(wire.WireError):
            received(bytes(data) + generator.randbytes(generator.randrange(9)))


def test_a_value_of_another_shape_is_refused() -> None:
    with pytest.raises(wire.WireError, match="SceneRef"):
        wire.from_json(SceneRef, {"scene_id": "s"})


@pytest.mark.parametrize(
    "error",
    [
        CameraError("view 3 is odd", remedy="Drop it."),
        MissingExtraError("scikit-learn", "data"),
        WorkerLost("the worker died", remedy="Try again."),
        SceneDamaged("the file is damaged", remedy="Build again."),
    ],
)
def test_errors_keep_type_and_text(error: NvsError | BackendError) -> None:
    restored = wire.error_from_json(wire.error_to_json(error))
    assert type(restored) is type(error)
    assert (restored.problem, restored.remedy) == (error.problem, error.remedy)
    assert str(restored) == str(error)


def test_an_error_of_another_package_comes_as_the_nearest_known() -> None:
    class SpecialError(DatasetError):
        pass

    restored = wire.error_from_json(
        wire.error_to_json(SpecialError("odd", remedy="No."))
    )
    assert type(restored) is DatasetError
