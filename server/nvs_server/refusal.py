"""Answering with a problem: an HTTP response, or the close of a WebSocket."""

from __future__ import annotations

from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from nvs_server.problems import Problem, as_problem
from nvs_server.telemetry.logs import logger

log = logger(__name__)


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
        document = problem.document(request_id)
        await connection.send_json({"type": "problem", "problem": document})
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
    own = {method for route in here for method in route.methods or ()}
    return own or {"GET", "HEAD"}


async def refuse(scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
    """Answer a problem from a middleware, instead of the application."""
    if scope["type"] == "websocket":
        await answer(WebSocket(scope, receive, send), problem)
        return
    response = await answer(HTTPConnection(scope), problem)
    assert response is not None
    await response(scope, receive, send)
