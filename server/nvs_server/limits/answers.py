"""Answers: how slowly they may be read, and when they count as sent.

What the system's own buffers do not take of an answer waits in the transport of its
connection. Whoever sends more waits until that is empty, and a connection whose client
does not take it is cut off.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

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
