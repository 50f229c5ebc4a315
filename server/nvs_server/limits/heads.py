"""Heads of requests: how long they may take to come."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from nvs_server.limits.answers import PromptReader

HEAD_SECONDS = 20.0
"""From the first byte, or from the connection on, to the end of the head."""


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
