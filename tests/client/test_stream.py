"""The render stream, against the service and against one that breaks the rules."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest
from websockets.sync.server import ServerConnection, serve

from nvs.api.scenes import SCENE_EXAMPLE
from nvs.client import (
    AsyncClient,
    Client,
    LookAt,
    ServiceAnswerError,
    ServiceError,
    ServiceUnreachableError,
)
from nvs.client.transport import Transport
from tests.fakes.backend import picture_of
from tests.fakes.proxy import Fault

EYE = LookAt(eye=(2, 0, 1), target=(0, 0, 0), vertical_fov_degrees=50)
SIZE = {"height": 16, "width": 24}
SCENE_ID = SCENE_EXAMPLE["id"]


def _conversation(connection: ServerConnection) -> None:
    connection.send(
        json.dumps({"type": "ready", "scene": SCENE_EXAMPLE, "max_in_flight": 2})
    )
    for message in connection:
        match json.loads(message)["height"]:
            case 1:
                connection.close(4404, "the scene was deleted")
            case 2:
                connection.close(1012, "draining")
            case 3:
                connection.send(b"\xff\xff\xff")
            case 4:
                connection.send(b"\x02\0\0\0{}picture")


@pytest.fixture
def misled(service, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
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


def test_pictures_follow_each_other(service, scene_id: str) -> None:
    with Client(service.url) as client, client.stream(scene_id) as stream:
        for _ in range(3):
            picture = stream.render(EYE, **SIZE)
        order = service.backend.orders[-1]
        assert picture.data == picture_of(order.cameras[0], order.options)
        assert picture.timings_ms["model"] == 3.0
        assert (picture.tier, picture.format) == ("host", "jpeg")
        sequence = stream.send(EYE, **SIZE)
        assert stream.receive().sequence == sequence


def test_a_pose_that_was_overtaken(service, scene_id: str) -> None:
    with Client(service.url) as client, client.stream(scene_id) as stream:
        service.hold("render")
        first, *_, last = [stream.send(EYE, **SIZE) for _ in range(4)]
        dropped = stream.receive()
        assert (dropped.sequence, dropped.picture) == (first + 2, None)
        service.let_go("render")
        assert {stream.receive().sequence for _ in range(3)} == {
            *(first, first + 1, last)
        }


def test_asynchronously(service, scene_id: str) -> None:
    async def run() -> None:
        async with (
            AsyncClient(service.url) as client,
            client.stream(scene_id) as stream,
        ):
            assert (await stream.render(EYE, **SIZE)).data
            with pytest.raises(ServiceError, match="height: 20 is not a multiple of 8"):
                await stream.render(EYE, height=20, width=24)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("height", "kind", "message"),
    [
        (1, ServiceError, "ended the stream .the scene was deleted"),
        (2, ServiceUnreachableError, "broke off .*draining"),
        (3, ServiceAnswerError, "something else than pictures"),
        (4, ServiceAnswerError, "did not answer with a FrameHeader"),
    ],
)
def test_what_ends_it(misled: str, height: int, kind: type, message: str) -> None:
    with (
        Client(misled) as client,
        client.stream(SCENE_ID) as stream,
        pytest.raises(kind, match=message) as info,
    ):
        stream.render(EYE, height=height, width=8)
    if height == 1:
        assert info.value.status == 404


def test_what_goes_wrong_inside_goes_on(service, scene_id: str) -> None:
    with (
        Client(service.url) as client,
        pytest.raises(ZeroDivisionError),
        client.stream(scene_id) as stream,
    ):
        stream.send(EYE, height=1 // 0, width=8)


def test_a_service_that_refuses(service) -> None:
    service.proxy.faults = [Fault(pattern="GET .*/stream", status=404)]
    with (
        Client(service.url) as client,
        pytest.raises(ServiceError, match=r"the stream was refused \(404\)"),
        client.stream(SCENE_ID),
    ):
        pass
    (asked,) = service.proxy.requests_of("GET .*/stream")
    assert [*asked.query] == ["ticket"]
