"""Request bodies: how large they may be by route, and how slowly they may come."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nvs_server.edge.problems import Problem
from nvs_server.edge.requests import refuse
from nvs_server.settings import PREFIX, Settings

MIN_BYTES_PER_SECOND = 4096
"""A file must keep this rate on average, after a head start; JSON has the head start
alone: a render holds its place while it comes."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A route that takes files: what its path looks like, which setting limits it."""

    method: str
    path: re.Pattern[str]
    setting: str


UPLOADS = tuple(
    Upload("PUT", re.compile(rf"/v1/scenes/[^/]+/{tail}", re.DOTALL), setting)
    for tail, setting in (
        ("images/.+", "max_image_bytes"),
        ("cameras", "max_cameras_bytes"),
        ("dataset", "max_dataset_bytes"),
        ("video", "max_video_bytes"),
        ("file", "max_scene_file_bytes"),
    )
)
JSON_SETTING = "max_json_bytes"
"""Limits the body of every other route."""

JSON_METHODS = frozenset({"PATCH", "POST", "PUT"})
"""Methods whose body is read, but for uploads as JSON; that of others is not."""
JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})


class BodyLimit:
    """Refuses bodies that are too large, not JSON where they must be, or too slow.

    A Content-Length above the limit is refused before anything is read; chunks are
    counted as they come.

    Args:
        app: The application.
        settings: Limits and the head start.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = _upload(scope)
        setting = upload.setting if upload else JSON_SETTING
        limit_bytes = int(getattr(self.settings, setting))
        try:
            _check_headers(scope, upload, limit_bytes, setting)
        except Problem as problem:
            await refuse(scope, receive, send, problem)
            return
        body = _Body(
            receive,
            limit_bytes,
            setting,
            self.settings.body_grace_seconds,
            seconds_per_byte=1 / MIN_BYTES_PER_SECOND if upload else 0.0,
        )
        await self.app(scope, body.receive, send)


def _upload(scope: Scope) -> Upload | None:
    for upload in UPLOADS:
        if scope["method"] == upload.method and upload.path.fullmatch(scope["path"]):
            return upload
    return None


def _takes_files(path: str) -> bool:
    return any(upload.path.fullmatch(path) for upload in UPLOADS)


def _check_headers(
    scope: Scope, upload: Upload | None, limit_bytes: int, setting: str
) -> None:
    headers = Headers(scope=scope)
    encoding = headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Problem(
            "media-type",
            f"Content-Encoding is {encoding!r}.",
            remedy="Send the body as it is.",
        )
    length = headers.get("content-length")
    if length is not None and "transfer-encoding" in headers:
        raise Problem(
            "malformed",
            "The request has Content-Length and Transfer-Encoding.",
            remedy="Send one of them.",
            headers={"Connection": "close"},
        )
    has_body = length not in (None, "0") or "transfer-encoding" in headers
    is_json = scope["method"] in JSON_METHODS and not _takes_files(scope["path"])
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_json and has_body and media_type not in JSON_TYPES:
        raise Problem("media-type", f"Content-Type is {media_type!r}.")
    if length is None:
        if upload and "transfer-encoding" not in headers:
            raise Problem("length-required")
        return
    if not length.isdecimal():
        raise Problem("malformed", f"Content-Length is {length!r}.")
    if int(length) > limit_bytes:
        raise _too_large(limit_bytes, setting)


def _too_large(limit_bytes: int, setting: str) -> Problem:
    return Problem(
        "too-large",
        f"The body is larger than {limit_bytes} bytes.",
        remedy=f"Send less; the operator can raise {PREFIX}{setting.upper()}.",
    )


class _Body:
    """Counts and times one request's body."""

    def __init__(
        self,
        receive: Receive,
        limit_bytes: int,
        setting: str,
        grace_seconds: float,
        *,
        seconds_per_byte: float,
    ) -> None:
        self._receive = receive
        self._limit_bytes = limit_bytes
        self._setting = setting
        self._grace_seconds = grace_seconds
        self._seconds_per_byte = seconds_per_byte
        self._started: float | None = None
        self._num_bytes = 0
        self._complete = False

    async def receive(self) -> Message:
        """The next message; a `Problem` once a limit is passed."""
        if self._complete:
            return await self._receive()
        now = time.monotonic()
        self._started = self._started or now
        allowed = self._grace_seconds + self._num_bytes * self._seconds_per_byte
        try:
            async with asyncio.timeout(max(0.0, self._started + allowed - now)):
                message = await self._receive()
        except TimeoutError as error:
            raise Problem(
                "body-timeout",
                f"After {now - self._started:.0f} s only {self._num_bytes} bytes of "
                "the body had come.",
                headers={"Connection": "close"},
            ) from error
        if message["type"] == "http.request":
            self._num_bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._num_bytes > self._limit_bytes:
                raise _too_large(self._limit_bytes, self._setting)
        return message
