"""Every request has an id, one log entry, one count, and an answer if it fails.

A problem is an HTTP response, or a message and the close of a WebSocket.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import defaultdict
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState
from structlog.contextvars import bound_contextvars

from nvs.api.stream import StreamProblem
from nvs_server.edge.problems import Problem, as_problem
from nvs_server.logs import logger
from nvs_server.metrics import Metrics

HEADER = "X-Request-ID"
ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
UNMATCHED = "unmatched"
"""Route of requests for addresses that do not exist."""
WEBSOCKET = "WEBSOCKET"
OTHER = "OTHER"
"""Method of requests with one of their own invention, which must not grow metrics."""

log = logger(__name__)


class RequestTelemetry:
    """Gives each request an id, times it, logs and counts it.

    An id that the client sends as X-Request-ID is kept if it is harmless. What is
    logged of the address is the route's template, never the path or the query.

    Args:
        app: The application.
        metrics: Where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics
        self._templates: dict[Any, list[str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if ACCEPTED_ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status: int | None = None
        start = time.monotonic()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            elif message["type"] == "websocket.accept":
                status = 101
            elif message["type"] == "websocket.close" and status in (None, 101):
                status = message.get("code", 1000)
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, watched)
            except Exception as error:
                if status is not None or scope["type"] != "http":
                    status = status or 500
                    raise
                log.error("unhandled", exc_info=error)
                problem = as_problem(error)
                state["problem"] = problem.slug
                await problem.response(request_id)(scope, receive, watched)
            finally:
                self._report(scope, status or 499, time.monotonic() - start)

    def _template(self, scope: Scope) -> str:
        """The whole template of the route that served a request."""
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return UNMATCHED
        if not self._templates:
            self._templates = _templates(scope["app"])
        own: str = getattr(scope.get("route"), "path", "")
        found = self._templates.get(endpoint, ())
        return next((path for path in found if path.endswith(own)), UNMATCHED)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = self._template(scope)
        method = scope.get("method", WEBSOCKET)
        slug = scope["state"].get("problem")
        principal = scope["state"].get("principal")
        counted = method if method in METHODS or method == WEBSOCKET else OTHER
        self.metrics.requests.labels(counted, route, str(status)).inc()
        self.metrics.request_seconds.labels(route).observe(seconds)
        if slug is not None:
            self.metrics.problems.labels(slug).inc()
        level = "debug" if route in QUIET_ROUTES and status < 400 else "info"
        getattr(log, level)(
            "request",
            client=(scope.get("client") or [None])[0],
            method=method,
            route=route,
            status=status,
            problem=slug,
            duration_ms=round(1000 * seconds, 1),
            owner=principal.owner if principal else None,
        )


def _templates(app: FastAPI) -> dict[Any, list[str]]:
    """Templates by endpoint; a route of an included router knows only its own part."""
    templates: dict[Any, list[str]] = defaultdict(list)
    for context in iter_route_contexts(app.routes):
        if context.path is None:
            continue
        route = context.original_route
        endpoint = route.app if isinstance(route, Mount) else context.endpoint
        templates[endpoint].append(context.path)
    return templates


async def answer(connection: HTTPConnection, error: Exception) -> Response | None:
    """Exception handler: any exception of a route as a problem.

    A WebSocket is accepted if it was not, told the problem in a text message, and
    closed with the problem's code.
    """
    problem = as_problem(error)
    if problem.slug == "internal":
        log.error("unhandled", exc_info=error)
    request_id: str = connection.scope["state"].get("request_id", "")
    connection.scope["state"]["problem"] = problem.slug
    if problem.slug == "method-not-allowed":
        problem.headers = {"Allow": ", ".join(sorted(_methods(connection)))}
    if not isinstance(connection, WebSocket):
        return problem.response(request_id)
    if connection.application_state is WebSocketState.CONNECTING:
        await connection.accept()
    if connection.application_state is WebSocketState.CONNECTED:
        told = StreamProblem(sequence=None, problem=problem.document(request_id))
        await connection.send_text(told.model_dump_json())
        await connection.close(problem.close_code, problem.title)
    return None


def _methods(connection: HTTPConnection) -> set[str]:
    """What all routes at the connection's address take; the framework asks the first.

    Mounted files, which have no methods of their own, are read only.
    """
    here = [
        route
        for route in iter_route_contexts(connection.app.routes)
        if route.path_regex.match(connection.scope["path"])
    ]
    own = {method for route in here for method in route.methods or ()} or {"GET"}
    return own | {"HEAD"} if "GET" in own else own


async def refuse(scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
    """Answer a problem from a middleware, instead of the application."""
    if scope["type"] == "websocket":
        await answer(WebSocket(scope, receive, send), problem)
        return
    response = await answer(HTTPConnection(scope), problem)
    assert response is not None
    await response(scope, receive, send)
