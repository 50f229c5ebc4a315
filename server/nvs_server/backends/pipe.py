"""A child process's end of the socket to its gateway."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from nvs.errors import NvsError
from nvs_server.backends import wire
from nvs_server.backends.base import BackendError
from nvs_server.backends.wire import Message


class Pipe:
    """Sends from any thread; receives on one of its own.

    When the gateway's end closes the process exits at once, whatever it is doing:
    nobody is left to take its results.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()

    @staticmethod
    def inherited() -> Pipe:
        """The socket whose descriptor is the first command-line argument.

        Signals of the terminal or the service manager are left to the gateway.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        connection = socket.socket(fileno=int(sys.argv[1]))
        connection.set_inheritable(False)
        return Pipe(connection)

    def receive(self) -> Message:
        """The next message; exits the process if there can be none."""
        try:
            head = self._exactly(wire.LENGTHS.size)
            num_text, num_blob = wire.lengths(head)
            message = wire.parsed(self._exactly(num_text))
            self._exactly(num_blob)
        except (OSError, wire.WireError):
            os._exit(0)
        return message

    def listen(self, handle: Callable[[Message], None]) -> None:
        """Hand every message to a function, on a thread, from now on.

        Pings are answered here, however busy the process is.
        """

        def work() -> None:
            try:
                while True:
                    message = self.receive()
                    if message["op"] == "ping":
                        self.send(event="pong")
                    else:
                        handle(message)
            except BaseException:  # noqa: BLE001 - deaf, the process would hang
                traceback.print_exc()
                os._exit(1)

        threading.Thread(target=work, name="reader", daemon=True).start()

    def send(self, blob: bytes = b"", **message: Any) -> None:
        """Send a message; exits the process if nobody takes it."""
        data = wire.packed(message, blob)
        with self._sending:
            try:
                self._socket.sendall(data)
            except OSError:
                os._exit(0)

    def send_error(self, request_id: int, error: Exception) -> None:
        """Answer a request with its failure; one nobody foresaw is also logged."""
        if not isinstance(error, NvsError | BackendError):
            traceback.print_exception(error)
            error = BackendError(
                f"the work failed inside ({type(error).__name__})",
                remedy="Try again; the server's log says more.",
            )
        self.send(id=request_id, event="error", error=wire.error_to_json(error))

    def _exactly(self, num_bytes: int) -> bytes:
        data = bytearray(num_bytes)
        view = memoryview(data)
        while view:
            received = self._socket.recv_into(view)
            if not received:
                raise OSError("closed")
            view = view[received:]
        return bytes(data)
