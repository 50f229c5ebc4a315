"""OpenTelemetry traces, where an endpoint is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.trace import Span

QUIET_URLS = "livez,readyz,metrics"
ATTRIBUTES_WITH_QUERY = ("http.url", "http.target", "url.full", "url.query")


def trace(app: FastAPI, endpoint: str) -> None:
    """Send a span for every request to an OTLP/HTTP endpoint.

    Args:
        app: The application, before it serves.
        endpoint: Such as `http://localhost:4318/v1/traces`.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "lact-nvs"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=provider,
        excluded_urls=QUIET_URLS,
        server_request_hook=drop_query,
        exclude_spans=["receive", "send"],
    )


def drop_query(span: Span, scope: dict[str, Any]) -> None:
    """Take queries out of a span: a stream's carries its ticket."""
    if not span.is_recording():
        return
    known = getattr(span, "attributes", {})
    for name in ATTRIBUTES_WITH_QUERY:
        if name in known:
            span.set_attribute(name, str(known[name]).partition("?")[0])
    if "url.query" in known:
        span.set_attribute("url.query", "")
