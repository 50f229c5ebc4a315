"""The render stream, against a WebSocket server that drops, refuses and answers."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from nvs.api.scenes import SCENE_EXAMPLE
from nvs.api.system import Problem
from nvs.client import (
    AsyncClient,
    Client,
    LookAt,
    ServiceAnswerError,
    ServiceError,
    ServiceUnreachableError,
)
from nvs.client.transport import Transport

EYE = LookAt(eye=(2, 0, 1), target=(0, 0, 0), vertical_fov_degrees=50)
SIZE = {"height": 16, "width": 24}
TIMINGS = {"queue_ms": 1.0, "load_ms": 0.0, "model_ms": 5.0, "encode_ms": 0.5}
PROBLEM = Problem.model_config["json_schema_extra"]["examples"][0]
SCENE_ID = SCENE_EXAMPLE["id"]


def _frame(request: dict[str, Any]) -> bytes:
    header = {name: request[name] for name in ("sequence", "height", "width", "format")}
    text = json.dumps(header | {"timings": TIMINGS, "tier": "host"}).encode()
    return struct.pack("<I", len(text)) + text + b"picture"


def _conversation(connection: ServerConnection) -> None:
    connection.send(
        json.dumps({"type": "ready", "scene": SCENE_EXAMPLE, "max_in_flight": 2})
    )
    for message in connection:
        request = json.loads(message)
        height = request["height"]
        if height == 0:
            problem = PROBLEM | {"detail": "height is 0", "remedy": "Give more."}
            content = {"type": "problem", "sequence": 0, "problem": problem}
            connection.send(json.dumps(content))
        elif height == 1:
            connection.close(4404, "the scene was deleted")
        elif height == 2:
            connection.close(1012, "draining")
        elif height == 3:
            connection.send(b"\xff\xff\xff")
        elif height == 4:
            connection.send(b"\x02\0\0\0{}picture")
        else:
            content = {"type": "dropped", "sequence": request["sequence"] - 1}
            connection.send(json.dumps(content))
            connection.send(_frame(request))


@pytest.fixture
def streamed(service, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a service whose streams lead to the conversation above."""
    with serve(_conversation, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        monkeypatch.setattr(Transport, "stream_url", lambda *_: url)
        try:
            yield service.url
        finally:
            server.shutdown()
            thread.join()


def test_pictures_follow_each_other(streamed: str) -> None:
    with Client(streamed) as client, client.stream(SCENE_ID) as stream:
        for _ in range(3):
            picture = stream.render(EYE, **SIZE)
        assert picture.data == b"picture"
        assert picture.timings_ms["model"] == 5.0
        assert (picture.tier, picture.format) == ("host", "jpeg")
        sequence = stream.send(EYE, **SIZE)
        dropped = stream.receive()
        assert (dropped.sequence, dropped.picture) == (sequence - 1, None)
        assert stream.receive().sequence == sequence


def test_asynchronously(streamed: str) -> None:
    async def run() -> None:
        async with AsyncClient(streamed) as client, client.stream(SCENE_ID) as stream:
            assert (await stream.render(EYE, **SIZE)).data == b"picture"
            with pytest.raises(ServiceError, match="height is 0"):
                await stream.render(EYE, height=0, width=8)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("height", "kind", "message"),
    [
        (0, ServiceError, r"height is 0\. Give more"),
        (1, ServiceError, "ended the stream .the scene was deleted"),
        (2, ServiceUnreachableError, "broke off .*draining"),
        (3, ServiceAnswerError, "something else than pictures"),
        (4, ServiceAnswerError, "did not answer with a FrameHeader"),
    ],
)
def test_what_ends_it(streamed: str, height: int, kind: type, message: str) -> None:
    with (
        Client(streamed) as client,
        client.stream(SCENE_ID) as stream,
        pytest.raises(kind, match=message) as info,
    ):
        stream.render(EYE, height=height, width=8)
    if height == 1:
        assert info.value.status == 404


def test_what_goes_wrong_inside_goes_on(streamed: str) -> None:
    with (
        Client(streamed) as client,
        pytest.raises(ZeroDivisionError),
        client.stream(SCENE_ID) as stream,
    ):
        stream.send(EYE, height=1 // 0, width=8)


def test_a_service_that_refuses(service) -> None:
    with (
        Client(service.url) as client,
        pytest.raises(ServiceError, match=r"the stream was refused \(404\)"),
        client.stream(SCENE_ID),
    ):
        pass
    (asked,) = service.requests_of("GET .*/stream")
    assert asked.query == {"ticket": ["t"]}
