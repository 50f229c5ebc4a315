from __future__ import annotations

import subprocess
import sys

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from nvs_server.tracing import drop_query


def test_a_span_never_carries_a_ticket() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("stream") as span:
        span.set_attribute("http.url", "http://h/v1/stream?ticket=abc")
        span.set_attribute("url.query", "ticket=abc")
        span.set_attribute("http.route", "/v1/stream")
        drop_query(span, {})
    provider.shutdown()
    (sent,) = exporter.get_finished_spans()
    assert sent.attributes is not None
    assert dict(sent.attributes) == {
        "http.url": "http://h/v1/stream",
        "url.query": "",
        "http.route": "/v1/stream",
    }


def test_nothing_of_opentelemetry_is_imported_unless_configured() -> None:
    code = "import nvs_server.app, sys; print('opentelemetry.sdk' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "False"
