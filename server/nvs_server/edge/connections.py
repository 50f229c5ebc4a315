"""Connections: how slowly heads come and answers are read, and who has gone away.

What the system's own buffers do not take of an answer waits in the transport of its
connection. Whoever sends more waits until that is empty, and a connection whose client
does not take it is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import h11
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HEAD_SECONDS = 20.0
"""From the first byte, or from the connection on, to the end of the head."""
ANSWER_SECONDS = 20.0
"""Within it a client must take what waits for it, or so much of it:"""
MIN_BYTES_PER_SECOND = 16 * 1024


class PromptReader(asyncio.Protocol):
    """Cuts a connection off when its client does not read: to be mixed in."""

    transport: asyncio.Transport
    _unread_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have every byte that waits reported."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        """Begin to watch: bytes wait for the client."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Stop to watch: everything was taken."""
        self._look_away()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to watch."""
        self._look_away()
        super().connection_lost(exc)

    def _watch(self) -> None:
        before = self.transport.get_write_buffer_size()
        loop = asyncio.get_running_loop()
        self._unread_deadline = loop.call_later(ANSWER_SECONDS, self._judge, before)

    def _judge(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting > before - ANSWER_SECONDS * MIN_BYTES_PER_SECOND and waiting > 0:
            self.transport.abort()
        elif waiting > 0:
            self._watch()

    def _look_away(self) -> None:
        if self._unread_deadline is not None:
            self._unread_deadline.cancel()
            self._unread_deadline = None


class PromptStreams(PromptReader, WebSocketsSansIOProtocol):
    """WebSockets whose messages are sent when they are taken."""

    async def send(self, message: Any) -> None:
        """Send a message, and wait until it is taken or the connection is lost."""
        await super().send(message)
        await self.writable.wait()


class WholeAnswers:
    """Lets a request end when its answer is taken, not when it is handed over.

    A server waits before each part of a body until the part before is taken: so an
    empty one follows the last.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def until_taken(message: Message) -> None:
            is_last = message.get("body") and not message.get("more_body", False)
            if message["type"] == "http.response.body" and is_last:
                await send({**message, "more_body": True})
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        await self.app(scope, receive, until_taken)


class PromptHeads(PromptReader, H11Protocol):
    """HTTP/1.1 that answers 408, and hangs up, when a head does not come.

    h11, unlike httptools, bounds their size too (64 KiB). Bodies have limits of their
    own, and so have answers; between requests uvicorn's keep-alive counts.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def data_received(self, data: bytes) -> None:
        """Take bytes; begin to wait, or stop, as they end within a head or not."""
        super().data_received(data)
        begun = self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])
        if not begun:
            self._stop_waiting()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        self._deadline = None
        if self.conn.our_state is h11.IDLE:
            headers = [("Connection", "close"), ("Content-Length", "0")]
            response = h11.Response(status_code=408, headers=headers)
            self.transport.write(self.conn.send(response) or b"")
        self.transport.close()


Result = TypeVar("Result")


async def run_while_connected(
    request: Request, work: Coroutine[Any, Any, Result]
) -> Result:
    """Run `work`; cancel it when the client disconnects.

    The request's body must have been read. Cancelling the caller cancels the work.

    Raises:
        ClientDisconnect: If the client went away first; the work has ended by then.
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        for future in (task, watch):
            future.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
