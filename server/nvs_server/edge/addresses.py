"""Addresses under whatever a proxy puts before them, and HEAD at each that takes GET.

A proxy that serves us under `/nvs/` takes that off before it asks, so no request says
where we lie for a browser. Relative addresses are right there as at `/`: what we answer
names other addresses of ours by the way from the requested one.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def root_from(scope: Scope) -> str:
    """The way from a requested address to the root, such as `./` or `../../`.

    The path counts as it was sent: browsers see no folder in an escaped slash.
    """
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return "../" * (path.count(b"/") - 1) or "./"


class RelativeLocations:
    """Writes each `Location` of ours as a relative address.

    Args:
        app: The application; it names addresses from the root, as `/v1/jobs/…`, or with
            the host that was asked for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_relative(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                there = urlsplit(headers.get("location", ""))
                if there.netloc in ("", Headers(scope=scope).get("host")):
                    if there.path.startswith("/"):
                        way = root_from(scope) + there.path.lstrip("/")
                        headers["location"] = there._replace(
                            scheme="", netloc="", path=way
                        ).geturl()
            await send(message)

        await self.app(scope, receive, with_relative)


class _HeadSentError(Exception):
    """All that the client wants to know is on its way."""


class HeadOfGet:
    """Answers HEAD with the head of what GET would answer, and makes no body.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope.get("method") != "HEAD":
            await self.app(scope, receive, send)
            return
        is_sent = False

        async def head_only(message: Message) -> None:
            nonlocal is_sent
            if is_sent:
                raise _HeadSentError
            await send(message)
            if message["type"] == "http.response.start":
                is_sent = True
                await send({"type": "http.response.body", "body": b""})

        scope["method"] = "GET"
        try:
            await self.app(scope, receive, head_only)
        except* _HeadSentError:
            pass
        finally:
            scope["method"] = "HEAD"
