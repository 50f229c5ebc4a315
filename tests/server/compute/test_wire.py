"""Messages survive the wire; anything else is refused."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from nvs.api.cameras import LookAt, PosedCamera
from nvs.api.jobs import BuildRequest, CountedViews, ListedViews
from nvs.api.renders import (
    FollowPath,
    Orbit,
    PictureOptions,
    RenderRequest,
    VideoRequest,
)
from nvs.errors import CameraError, DatasetError, MissingExtraError, NvsError
from nvs_server.compute import wire
from nvs_server.compute.orders import (
    BuildOrder,
    InputView,
    PrepareOrder,
    RenderOrder,
    VideoOrder,
)
from nvs_server.compute.protocol import BackendError, SceneDamaged, WorkerLost
from nvs_server.storage.records import SceneRef

SCENE = SceneRef(scene_id="s", sha256="0" * 64, num_bytes=9, weights="lact_small")
CAMERA = PosedCamera(
    world_from_camera=[[1, 0, 0, 0.1], [0, 1, 0, 1 / 3], [0, 0, 1, 0], [0, 0, 0, 1]],
    fx=70.1,
    fy=70.2,
    cx=32.0,
    cy=31.0,
)
KEYFRAME = {"camera_to_world": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}
EXPORTED = {
    "render_height": 540,
    "render_width": 960,
    "fps": 24,
    "camera_path": [KEYFRAME | {"fov": 50.0}],
}


def prepare(**values: Any) -> PrepareOrder:
    request = BuildRequest(**values)
    return PrepareOrder(folder=Path("/a"), output=Path("/b"), request=request)


def video(trajectory: Orbit | FollowPath) -> VideoOrder:
    request = VideoRequest(trajectory=trajectory, height=64, width=64)
    return VideoOrder(scene=SCENE, output=Path("/v.mp4"), request=request)


ORDERS = [
    RenderOrder(
        scene=SCENE,
        cameras=(CAMERA,) * 2,
        options=PictureOptions(height=64, width=72, background="#102030"),
    ),
    prepare(size=(64, 72)),
    prepare(size=64, views=ListedViews(indices=[3, 1])),
    prepare(views=CountedViews(count=3, seed=1)),
    BuildOrder(views=Path("/v"), output=Path("/o"), weights="w", framing="object"),
    video(Orbit(kind="orbit", num_frames=2, elevation_degrees=20.5)),
    video(FollowPath.model_validate({"camera_path": EXPORTED})),
    InputView(
        index=0,
        name="a.png",
        camera=CAMERA,
        height=64,
        width=72,
        image=None,
        thumbnail=Path("/a.jpg"),
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


def test_of_a_request_only_what_an_order_asks_for_is_sent() -> None:
    eye = LookAt(eye=[1, 0, 0], target=[0, 0, 0], vertical_fov_degrees=50)
    options = RenderRequest(camera=eye, height=64, width=72, quality=70)
    order = RenderOrder(scene=SCENE, cameras=(eye.at_size(64, 72),), options=options)
    values = wire.to_json(order)
    assert set(values["options"]) == set(PictureOptions.model_fields)
    assert wire.from_json(RenderOrder, values).options.quality == 70


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
