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

from nvs.client import LookAt, ServiceAnswerError, ServiceError, ServiceUnreachableError
from nvs.client.stream import open_async_stream, open_stream

EYE = LookAt(eye=(2, 0, 1), target=(0, 0, 0), vertical_fov_degrees=50)
SIZE = {"height": 16, "width": 24}
TIMINGS = {"queue_ms": 1.0, "load_ms": 0.0, "model_ms": 5.0, "encode_ms": 0.5}


def _frame(request: dict[str, Any]) -> bytes:
    header = {name: request[name] for name in ("sequence", "height", "width", "format")}
    text = json.dumps(header | {"timings": TIMINGS, "tier": "host"}).encode()
    return struct.pack("<I", len(text)) + text + b"picture"


def _conversation(connection: ServerConnection) -> None:
    connection.send(json.dumps({"type": "ready", "scene": {}, "max_in_flight": 2}))
    for message in connection:
        request = json.loads(message)
        height = request["height"]
        if height == 0:
            problem = {"detail": "height is 0", "remedy": "Give more.", "status": 422}
            content = {"type": "problem", "sequence": 0, "problem": problem}
            connection.send(json.dumps(content))
        elif height == 1:
            connection.close(4404, "the scene was deleted")
        elif height == 2:
            connection.close(1012, "draining")
        elif height == 3:
            connection.send(b"\xff\xff\xff")
        else:
            content = {"type": "dropped", "sequence": request["sequence"] - 1}
            connection.send(json.dumps(content))
            connection.send(_frame(request))


@pytest.fixture
def url() -> Iterator[str]:
    with serve(_conversation, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        try:
            yield f"ws://127.0.0.1:{port}/v1/scenes/x/stream?ticket=t"
        finally:
            server.shutdown()
            thread.join()


def test_pictures_follow_each_other(url: str) -> None:
    with open_stream(url) as stream:
        for _ in range(3):
            picture = stream.render(EYE, **SIZE)
        assert picture.data == b"picture"
        assert picture.timings_ms["model"] == 5.0
        assert (picture.tier, picture.format) == ("host", "jpeg")
        sequence = stream.send(EYE, **SIZE)
        dropped = stream.receive()
        assert (dropped.sequence, dropped.picture) == (sequence - 1, None)
        assert stream.receive().sequence == sequence


def test_asynchronously(url: str) -> None:
    async def run() -> None:
        async with open_async_stream(url) as stream:
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
    ],
)
def test_what_ends_it(url: str, height: int, kind: type, message: str) -> None:
    with open_stream(url) as stream, pytest.raises(kind, match=message) as info:
        stream.render(EYE, height=height, width=8)
    if height == 1:
        assert info.value.status == 404


def test_a_service_that_refuses(service) -> None:
    address = service.url.replace("http", "ws") + "/v1/scenes/x/stream"
    with (
        pytest.raises(ServiceError, match=r"the stream was refused \(404\)"),
        open_stream(address),
    ):
        pass
