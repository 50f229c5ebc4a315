"""Spans of a served request, as an OTLP/HTTP collector gets them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from websockets.sync.client import connect

from tests.served import make_key

Serve = Callable[..., Any]
ABSENT = "a" * 26


class Collector:
    """Takes what is sent to /v1/traces."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                collector.bodies.append(self.rfile.read(length))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def spans(self) -> dict[str, dict[str, str]]:
        """Attributes of the spans that came, by name."""
        return {
            span.name: {one.key: str(one.value) for one in span.attributes}
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    with collector.server:
        threading.Thread(target=collector.server.serve_forever, daemon=True).start()
        yield collector
        collector.server.shutdown()


def test_requests_are_sent_as_spans_without_secrets(
    serve: Serve, collector: Collector, tmp_path: Path
) -> None:
    data_folder = tmp_path / "data"
    key = make_key(data_folder)
    served = serve(data_folder=data_folder, otel_endpoint=collector.url)
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=served.base_url, headers=headers) as client:
        assert client.get(f"/v1/scenes/{ABSENT}?hidden=word").status_code == 404
        ticket = client.post("/v1/tickets").json()["ticket"]
        address = served.base_url.replace("http", "ws")
        stream = f"{address}/v1/scenes/{ABSENT}/stream?ticket={ticket}"
        with connect(stream) as socket:
            assert "/not-found" in str(socket.recv())
    assert served.stop() == 0  # sends what is left
    spans = collector.spans()
    seen = spans["GET /v1/scenes/{scene_id}"]
    assert "404" in seen["http.status_code"]
    assert any("stream" in name for name in spans), list(spans)
    assert not any("readyz" in name for name in spans)
    sent = b"".join(collector.bodies)
    for secret in (key, ticket, "hidden=word"):
        assert secret.encode() not in sent
