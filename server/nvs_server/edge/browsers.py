"""What keeps other sites' pages out: host names, origins, and headers of every answer.

A page of another site can make a browser send requests here, even to loopback: under
its own name, where that name's address is changed to ours (DNS rebinding), or across
origins. Addresses and `localhost` cannot be rebound, so they are always answered to.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nvs_server.edge.problems import Problem
from nvs_server.edge.requests import refuse
from nvs_server.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""A route that sets one of them itself keeps its value."""
NOBODY = "'none'"


class HostAndOrigin:
    """Refuses unknown host names, and other sites' unsafe requests and WebSockets.

    Args:
        app: The application.
        settings: The allowed hosts and origins.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.hosts = tuple(name.lower() for name in settings.allowed_hosts)
        self.origins = frozenset(settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope)
            except Problem as problem:
                await refuse(scope, receive, send, problem)
                return
        await self.app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else ", ".join(hosts)
        if not self._is_known(_name(host)):
            raise Problem(
                "host-refused",
                f"This server does not answer to the host name {host[:80]!r}.",
            )
        origin = headers.get("origin")
        if origin is None or scope.get("method") in SAFE_METHODS:
            return
        if origin in self.origins or _host(origin) == host:
            return
        if headers.get("sec-fetch-site") == "same-origin":
            return
        raise Problem(
            "origin-refused", f"Pages of {origin[:80]!r} may not use this server."
        )

    def _is_known(self, name: str) -> bool:
        if name == "localhost" or name.endswith(".localhost") or _is_address(name):
            return True
        return any(
            name.endswith(allowed[1:]) if allowed.startswith("*.") else name == allowed
            for allowed in self.hosts
        )


def _name(host: str) -> str:
    """The name in a Host header: without port and brackets, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _host(origin: str) -> str:
    """What a browser would send as Host to an origin."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class SecurityHeaders:
    """Adds `HEADERS` to every HTTP response, and who may show it in a frame.

    Args:
        app: The application.
        settings: The pages that may.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        allowed = settings.frame_ancestors
        self.headers = HEADERS if allowed else HEADERS | {"X-Frame-Options": "DENY"}
        self.framing = f"; frame-ancestors {' '.join(allowed) or NOBODY}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                headers["Content-Security-Policy"] += self.framing
            await send(message)

        await self.app(scope, receive, with_headers)
