"""Answering with a problem: an HTTP response, or the close of a WebSocket."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketState

from server.problems import Problem, as_problem
from server.telemetry.logs import logger

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
    if not isinstance(connection, WebSocket):
        return problem.response(request_id)
    if connection.application_state is WebSocketState.CONNECTING:
        await connection.accept()
    if connection.application_state is WebSocketState.CONNECTED:
        document = problem.document(request_id)
        await connection.send_json({"type": "problem", "problem": document})
        await connection.close(problem.close_code, problem.title)
    return None


async def refuse(scope: Scope, receive: Receive, send: Send, problem: Problem) -> None:
    """Answer a problem from a middleware, instead of the application."""
    if scope["type"] == "websocket":
        await answer(WebSocket(scope, receive, send), problem)
        return
    response = await answer(HTTPConnection(scope), problem)
    assert response is not None
    await response(scope, receive, send)
