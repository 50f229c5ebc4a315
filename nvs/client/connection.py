"""Where the service is, and what every request to it carries."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Any

import httpx

from nvs.client.retries import Retries
from nvs.client.steps import Call
from nvs.errors import ConfigError

CONNECT_TIMEOUT_SECONDS = 10.0
DEFAULT_SERVER = "http://127.0.0.1:8000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Address, key and patience of a client.

    Raises:
        ConfigError: If the address is no http(s) URL or the key cannot be one.
    """

    server: str
    key: str | None
    retries: Retries
    timeout_seconds: float

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.server)
        except httpx.InvalidURL as error:
            raise _bad_server(self.server) from error
        if url.scheme not in ("http", "https") or not url.host or url.query:
            raise _bad_server(self.server)
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise ConfigError(
                "the key has characters that no key has",
                remedy="Give the line that `nvs keys create` printed.",
            )

    def options(self) -> dict[str, Any]:
        """Arguments of an httpx client."""
        version = importlib.metadata.version("lact-nvs")
        headers = {"User-Agent": f"lact-nvs/{version}"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        return {
            "base_url": self.server,
            "headers": headers,
            "timeout": httpx.Timeout(
                self.timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS
            ),
        }

    def request(self, call: Call) -> dict[str, Any]:
        """Arguments of `build_request`, without the body of a file."""
        headers = dict(call.headers)
        if call.body is not None:
            headers |= call.body.headers()
        if call.sink is not None:
            headers |= call.sink.headers()
        timeout = call.read_timeout_seconds or self.timeout_seconds
        return {
            "method": call.method,
            "url": call.path,
            "params": call.params or None,
            "headers": headers,
            "json": call.json,
            "timeout": httpx.Timeout(timeout, connect=CONNECT_TIMEOUT_SECONDS),
        }

    def stream_url(self, path: str, ticket: str) -> str:
        """Address of a WebSocket of this service."""
        url = httpx.URL(self.server)
        scheme = "wss" if url.scheme == "https" else "ws"
        path = url.path.rstrip("/") + path
        return str(url.copy_with(scheme=scheme, path=path, params={"ticket": ticket}))


def _bad_server(server: str) -> ConfigError:
    return ConfigError(
        f"the server is {server!r}",
        remedy=f"Give its address, such as {DEFAULT_SERVER}.",
    )
