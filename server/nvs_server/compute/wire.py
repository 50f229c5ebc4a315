"""Messages between the gateway and its child processes, and the child's end of them.

A message is two little-endian uint32 lengths, a JSON object and a blob:

    requests  {"id", "op", …}            {"op": "cancel", "id"}    {"op": "ping"}
    answers   {"id", "event": "progress" | "picture" | "result" | "error", …}
              {"id", "event": "meeting" | "met"}, around waiting for other processes
    news      {"event": "ready" | "failed" | "status" | "pong", …}
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

import nvs.errors
from nvs.errors import NvsError, restored
from nvs_server.compute import protocol
from nvs_server.compute.protocol import BackendError

LENGTHS = struct.Struct("<II")
MAX_JSON_BYTES = 2**24
MAX_BLOB_BYTES = 2**28

Message = dict[str, Any]
Value = TypeVar("Value")


class WireError(Exception):
    """Bytes that are no message: the other side is broken and must be replaced."""


def packed(message: Mapping[str, Any], blob: bytes = b"") -> bytes:
    """The bytes of a message, the blob included.

    Raises:
        WireError: If it is larger than the other side takes.
    """
    text = json.dumps(message).encode()
    head = LENGTHS.pack(len(text), len(blob))
    lengths(head)
    return b"".join((head, text, blob))


def lengths(head: bytes) -> tuple[int, int]:
    """Lengths of JSON and blob.

    Raises:
        WireError: If they are larger than any message is.
    """
    num_text, num_blob = LENGTHS.unpack(head)
    if num_text > MAX_JSON_BYTES or num_blob > MAX_BLOB_BYTES:
        raise WireError(f"a message of {num_text} + {num_blob} bytes")
    return num_text, num_blob


def parsed(text: bytes) -> Message:
    """The JSON object of a message.

    Raises:
        WireError: If it is none.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message that is not JSON ({error})") from error
    if not isinstance(message, dict):
        raise WireError(f"a message that is no object but {type(message).__name__}")
    return message


async def receive(reader: asyncio.StreamReader) -> tuple[Message, bytes] | None:
    """The next message, or None once the other side has closed.

    Raises:
        WireError: If the bytes are no message, or end within one.
    """
    try:
        head = await reader.readexactly(LENGTHS.size)
        num_text, num_blob = lengths(head)
        text = await reader.readexactly(num_text)
        blob = await reader.readexactly(num_blob) if num_blob else b""
    except asyncio.IncompleteReadError as error:
        if error.expected == LENGTHS.size and not error.partial:
            return None
        raise WireError("a message that ends early") from error
    except ConnectionError:
        return None
    return parsed(text), blob


def to_json(value: object, kind: type[Any] | None = None) -> Message:
    """A value as a JSON object: all of it, or what a kind that it extends has."""
    return _adapter(kind or type(value)).dump_python(value, mode="json")


def from_json(kind: type[Value], values: object) -> Value:
    """The value that `to_json` was given.

    Raises:
        WireError: If the object does not fit.
    """
    try:
        return _adapter(kind).validate_python(values)
    except ValueError as error:
        raise WireError(f"no {kind.__name__}: {error}") from error


def error_to_json(error: NvsError | BackendError) -> Message:
    """An error by its nearest kind that the other side knows."""
    kinds = (kind.__name__ for kind in type(error).__mro__)
    kind = next(name for name in kinds if name in _error_kinds())
    if isinstance(error, NvsError):
        subject = None if error.subject is None else str(error.subject)
        return {
            "kind": kind,
            "problem": error.detail,
            "remedy": error.remedy,
            "subject": subject,
        }
    return {"kind": kind, "problem": error.problem, "remedy": error.remedy}


def error_from_json(values: Mapping[str, Any]) -> NvsError | BackendError:
    """The error that `error_to_json` was given."""
    kind = _error_kinds().get(values["kind"], BackendError)
    problem, remedy = values["problem"], values["remedy"]
    if issubclass(kind, NvsError):
        return restored(kind, problem, remedy, values.get("subject"))
    return kind(problem, remedy=remedy)


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _error_kinds() -> dict[str, type[NvsError] | type[BackendError]]:
    known = [*vars(nvs.errors).values(), *vars(protocol).values()]
    return {
        kind.__name__: kind
        for kind in known
        if isinstance(kind, type) and issubclass(kind, NvsError | BackendError)
    }


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
            head = self._exactly(LENGTHS.size)
            num_text, num_blob = lengths(head)
            message = parsed(self._exactly(num_text))
            self._exactly(num_blob)
        except (OSError, WireError):
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
        data = packed(message, blob)
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
        self.send(id=request_id, event="error", error=error_to_json(error))

    def _exactly(self, num_bytes: int) -> bytes:
        data = bytearray(num_bytes)
        view = memoryview(data)
        while view:
            received = self._socket.recv_into(view)
            if not received:
                raise OSError("closed")
            view = view[received:]
        return bytes(data)
