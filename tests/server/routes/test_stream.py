from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect

from nvs.api.system import Quotas
from nvs_server.compute.protocol import WorkerLost
from nvs_server.routes import stream as stream_module
from tests.fakes.api import ABSENT, RENDER, Api
from tests.fakes.backend import picture_of

Message = dict[str, Any]


class Stream:
    """One client of a stream."""

    def __init__(
        self, api: Api, scene_id: str, query: str = "", **headers: str
    ) -> None:
        url = f"ws://127.0.0.1/v1/scenes/{scene_id}/stream{query}"
        self.connection = api.client.websocket_connect(url, headers=headers)

    def __enter__(self) -> Stream:
        self.socket = self.connection.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.connection.__exit__(*error)

    def pose(self, sequence: int, **changes: Any) -> None:
        self.socket.send_json({"sequence": sequence} | RENDER | changes)

    def text(self) -> Message:
        return self.socket.receive_json()

    def frame(self) -> tuple[Message, bytes]:
        data = self.socket.receive_bytes()
        (size,) = struct.unpack_from("<I", data)
        return json.loads(data[4 : 4 + size]), data[4 + size :]

    def closed(self) -> int:
        with pytest.raises(WebSocketDisconnect) as caught:
            self.socket.receive_text()
        return caught.value.code


def slug(message: Message) -> str:
    assert message["type"] == "problem"
    return message["problem"]["type"].rpartition("/")[2]


def test_poses_become_pictures(api: Api) -> None:
    scene_id = api.built()
    with Stream(api, scene_id) as stream:
        ready = stream.text()
        assert (ready["type"], ready["max_in_flight"]) == ("ready", 2)
        assert ready["scene"] == api.scene(scene_id)
        stream.pose(7)
        header, data = stream.frame()
        assert header == {
            "sequence": 7,
            "height": 64,
            "width": 64,
            "format": "jpeg",
            "timings": {
                "queue_ms": 1.0,
                "load_ms": 2.5,
                "model_ms": 3.0,
                "encode_ms": 4.0,
            },
            "tier": "host",
        }
        order = api.backend.orders[-1]
        assert data == picture_of(order.cameras[0], order.options)
        assert order.options.quality == 85
        stream.socket.send_json({"type": "ping"})
        assert stream.text() == {"type": "pong"}
    assert api.state.admission.num_streams == 0


def test_the_latest_pose_wins(api: Api) -> None:
    scene_id = api.built()
    with Stream(api, scene_id) as stream:
        stream.text()
        api.hold("render")
        for sequence in range(6):
            stream.pose(sequence)
        dropped = [stream.text() for _ in range(3)]
        assert dropped == [{"type": "dropped", "sequence": n} for n in (2, 3, 4)]
        api.on_loop(api.backend.begun, "render", 2)
        assert api.backend.calls["render"] == 2
        api.let_go("render")
        answered = {stream.frame()[0]["sequence"] for _ in range(3)}
        assert answered == {0, 1, 5}
    assert api.state.admission.num_renders == 0
    text = api.call("GET", "/metrics").text
    assert "nvs_stream_dropped_poses_total 3.0" in text


def test_a_pose_has_its_place_until_its_picture_is_sent(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_bytes, places = WebSocket.send_bytes, []

    async def watched(self: WebSocket, data: bytes) -> None:
        places.append(api.state.admission.num_renders)
        await send_bytes(self, data)

    monkeypatch.setattr(WebSocket, "send_bytes", watched)
    with Stream(api, api.built()) as stream:
        stream.text()
        stream.pose(1)
        stream.frame()
    assert places == [1]
    assert api.state.admission.num_renders == 0


def test_a_client_that_leaves_gives_up_its_poses(api: Api) -> None:
    with Stream(api, api.built()) as stream:
        stream.text()
        api.hold("render")
        stream.pose(1)
        api.on_loop(api.backend.begun, "render")
    assert api.backend.cancelled["render"] == 1
    assert api.state.admission.num_renders == 0


WRONG: list[tuple[str, int | None, str, str]] = [
    ("nonsense", None, "malformed", "not valid JSON"),
    ("[" * 3_900, None, "malformed", "not valid JSON"),
    (json.dumps({"sequence": 3} | RENDER | {"height": 60}), 3, "invalid", "height"),
    (json.dumps({"sequence": 3} | RENDER | {"camera": 1}), 3, "invalid", "camera"),
    (json.dumps(RENDER), None, "invalid", "sequence: field required"),
    (json.dumps({"sequence": "x"} | RENDER), None, "invalid", "sequence: input"),
    ('{"type": "hello"}', None, "invalid", "type: input should be 'ping'"),
    ("[1]", None, "invalid", "input should be a valid"),
    ("x" * 5000, None, "too-large", "larger than 4000 bytes"),
]


def test_wrong_messages_do_not_end_the_stream(start: Callable[..., Api]) -> None:
    api = start(max_json_bytes=4000)
    with Stream(api, api.built()) as stream:
        stream.text()
        for message, sequence, kind, text in WRONG:
            stream.socket.send_text(message)
            problem = stream.text()
            assert slug(problem) == kind
            assert problem["sequence"] == sequence
            assert text in problem["problem"]["detail"]
            assert problem["problem"]["remedy"]
        stream.pose(9)
        assert stream.frame()[0]["sequence"] == 9


def test_bytes_are_not_understood(api: Api) -> None:
    with Stream(api, api.built()) as stream:
        stream.text()
        stream.socket.send_bytes(b"\x00")
        assert stream.text()["problem"]["detail"] == "The message is binary."


def test_failures_are_told_by_sequence(start: Callable[..., Api]) -> None:
    api = start(max_render_queue=1)
    with Stream(api, api.built()) as stream:
        stream.text()
        lost = WorkerLost("the worker stopped", remedy="Try again.")
        api.backend.errors["render"] += [lost, RuntimeError("secret")]
        stream.pose(1)
        problem = stream.text()
        assert (slug(problem), problem["sequence"]) == ("worker-lost", 1)
        stream.pose(2)
        problem = stream.text()
        assert (slug(problem), problem["sequence"]) == ("internal", 2)
        assert "secret" not in json.dumps(problem)
        api.hold("render")
        stream.pose(3)
        api.on_loop(api.backend.begun, "render")
        stream.pose(4)
        problem = stream.text()
        assert (slug(problem), problem["sequence"]) == ("queue-full", 4)
        api.let_go("render")
        assert stream.frame()[0]["sequence"] == 3


def test_a_scene_that_is_not_built_yet(api: Api) -> None:
    scene_id = api.uploaded()
    with Stream(api, scene_id) as stream:
        assert stream.text()["scene"]["state"] == "uploading"
        stream.pose(1)
        assert slug(stream.text()) == "not-built"
        api.ended(api.build(scene_id).json()["id"])
        stream.pose(2)
        assert stream.frame()[0]["sequence"] == 2


def test_a_scene_deleted_meanwhile_ends_the_stream(api: Api) -> None:
    scene_id = api.built()
    with Stream(api, scene_id) as stream:
        stream.text()
        assert api.call("DELETE", f"/v1/scenes/{scene_id}").status_code == 204
        stream.pose(1)
        assert slug(stream.text()) == "not-found"
        assert stream.closed() == 4404


def test_no_such_scene(api: Api) -> None:
    with Stream(api, ABSENT) as stream:
        assert slug(stream.text()) == "not-found"
        assert stream.closed() == 4404


def test_shutting_down_ends_the_stream(api: Api) -> None:
    with Stream(api, api.built()) as stream:
        stream.text()

        async def drain() -> None:
            api.state.admission.draining.set()

        api.on_loop(drain)
        assert slug(stream.text()) == "draining"
        assert stream.closed() == 1012


def test_a_silent_client_is_disconnected(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "IDLE_SECONDS", 0.01)
    with Stream(api, api.built()) as stream:
        stream.text()
        problem = stream.text()
        assert slug(problem) == "body-timeout"
        assert problem["problem"]["detail"] == "Nothing came for 0.01 s."
        assert stream.closed() == 4408


def test_a_flood_is_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_MESSAGES_PER_SECOND", 3)
    monkeypatch.setattr(stream_module.time, "monotonic", lambda: 100.0)
    with Stream(api, api.built()) as stream:
        stream.text()
        for _ in range(4):
            stream.socket.send_json({"type": "ping"})
        assert [stream.text()["type"] for _ in range(3)] == ["pong"] * 3
        assert slug(stream.text()) == "rate-limited"
        assert stream.closed() == 4429


def test_streams_have_a_limit(start: Callable[..., Api]) -> None:
    api = start(max_streams=1)
    scene_id = api.built()
    with Stream(api, scene_id) as stream:
        stream.text()
        with Stream(api, scene_id) as second:
            assert slug(second.text()) == "queue-full"
            assert second.closed() == 4429
    with Stream(api, scene_id) as third:
        assert third.text()["type"] == "ready"


def test_who_may_stream(api: Api) -> None:
    scene_id = api.built()

    def key(*scopes: Any) -> dict[str, str]:
        _, secret = api.state.keys.create(
            name="k", owner="local", scopes=scopes, quotas=Quotas()
        )
        return {"Authorization": f"Bearer {secret}"}

    renderer, reader = key("render"), key("read")
    with Stream(api, scene_id) as stream:
        assert slug(stream.text()) == "no-key"
        assert stream.closed() == 4401
    with Stream(api, scene_id, **reader) as stream:
        assert slug(stream.text()) == "scope-missing"
        assert stream.closed() == 4403
    with Stream(api, scene_id, **renderer) as stream:
        assert stream.text()["type"] == "ready"
    ticket = api.call("POST", "/v1/tickets", headers=renderer).json()["ticket"]
    with Stream(api, scene_id, f"?ticket={ticket}") as stream:
        assert stream.text()["type"] == "ready"
    with Stream(api, scene_id, f"?ticket={ticket}") as stream:
        assert slug(stream.text()) == "ticket-refused"
        assert stream.closed() == 4401
    origin = {"Origin": "https://evil.example"}
    with Stream(api, scene_id, **renderer, **origin) as stream:
        assert slug(stream.text()) == "origin-refused"
        assert stream.closed() == 4403


def test_revoking_the_key_ends_the_stream(api: Api) -> None:
    scene_id = api.built()
    key, secret = api.state.keys.create(name="k", owner="local", scopes=("render",))
    with Stream(api, scene_id, Authorization=f"Bearer {secret}") as stream:
        assert stream.text()["type"] == "ready"
        stream.pose(1)
        assert stream.frame()[0]["sequence"] == 1
        api.state.keys.revoke(key.id)
        stream.pose(2)
        assert slug(stream.text()) == "unknown-key"
        assert stream.closed() == 4401
