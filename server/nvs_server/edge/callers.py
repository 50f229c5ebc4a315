"""Who is asking, found out before the request's body is read.

Everything under /v1 and /metrics needs a caller; so a route there cannot be open by
mistake. Scopes are checked by the routes' dependencies.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from nvs.api.system import Quotas
from nvs.api.system import Scope as KeyScope
from nvs_server.edge.admission import Admission
from nvs_server.edge.problems import Problem, as_problem
from nvs_server.edge.requests import refuse
from nvs_server.settings import Settings
from nvs_server.storage.errors import StorageError
from nvs_server.storage.keys import SCOPES, KeyStore, TicketStore
from nvs_server.storage.records import KeyRecord

LOCAL_OWNER = "local"
MAX_BUCKETS = 10_000
"""Of keys, whose requests are counted; the one unused for longest is forgotten."""
SECRET = re.compile(r"nvs_[A-Za-z0-9_-]{43}")
WHILE_DRAINING = frozenset({"/metrics", "/v1/capacity"})
RENDERS = re.compile(r"/v1/scenes/[^/]+/renders?")
"""Paths of renders. When the house is full they are refused without looking anyone up:
what is not let in must cost what is let in next to nothing."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request.

    Attributes:
        owner: Whose scenes and jobs these are.
        key_id: The key's id; None on an open server.
        key_name: The key's name; None on an open server.
        scopes: What the caller may do.
        quotas: What the owner may keep and build.
    """

    owner: str
    key_id: str | None
    key_name: str | None
    scopes: frozenset[KeyScope]
    quotas: Quotas

    @property
    def auth(self) -> Literal["open", "key"]:
        """Whether a key was needed."""
        return "open" if self.key_id is None else "key"

    def require(self, scope: KeyScope) -> None:
        """Check that the caller has a scope; `admin` has them all.

        Raises:
            Problem: `scope-missing`, 403.
        """
        if scope in self.scopes or "admin" in self.scopes:
            return
        raise Problem(
            "scope-missing",
            f"The key {self.key_name!r} has the scopes "
            f"{', '.join(sorted(self.scopes)) or 'none'}; this needs {scope}.",
        )


def principal_of(connection: HTTPConnection) -> Principal:
    """The principal that the authentication middleware found."""
    return connection.state.principal


def requires(
    scope: KeyScope | None,
) -> Callable[[HTTPConnection], Awaitable[Principal]]:
    """A dependency that gives the principal if it has the scope (None: any caller)."""

    async def principal(connection: HTTPConnection) -> Principal:
        found = principal_of(connection)
        if scope is not None:
            found.require(scope)
        return found

    return principal


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """A bucket a key: it holds a minute's worth and refills evenly.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key_id: str, key_name: str, rate_per_minute: int) -> None:
        """Count one request of a key.

        Raises:
            Problem: `rate-limited`, 429, with the time until the next token.
        """
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(rate_per_minute, now))
        self._buckets.move_to_end(key_id)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        per_second = rate_per_minute / 60
        refill = (now - bucket.filled_at) * per_second
        bucket.tokens = min(bucket.tokens + refill, rate_per_minute)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise Problem(
                "rate-limited",
                f"The key {key_name!r} may make {rate_per_minute} requests a minute.",
                retry_after_seconds=(1 - bucket.tokens) / per_second,
            )
        bucket.tokens -= 1


class Authentication:
    """Sets `state.principal` of each request that needs a caller, or refuses it.

    Args:
        app: The application.
        settings: Quotas and rate of callers without their own; the host bound to.
        keys: The API keys.
        tickets: The tickets given out for WebSockets.
        admission: Says when the server is shutting down.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        keys: KeyStore,
        tickets: TicketStore,
        admission: Admission,
    ) -> None:
        self.app = app
        self.settings = settings
        self.keys = keys
        self.tickets = tickets
        self.admission = admission
        self.rates = Rates()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        if scope["type"] in ("http", "websocket") and _needs_caller(scope["path"]):
            try:
                if scope["path"] not in WHILE_DRAINING:
                    self.admission.check_open()
                if RENDERS.fullmatch(scope["path"]):
                    self.admission.check_room()
                principal = await self._caller(HTTPConnection(scope))
            except (Problem, StorageError) as error:
                await refuse(scope, receive, send, as_problem(error))
                return
            scope["state"]["principal"] = principal
        await self.app(scope, receive, send)

    async def _caller(self, connection: HTTPConnection) -> Principal:
        if connection.scope["type"] == "websocket":
            ticket = connection.query_params.get("ticket")
            if ticket is not None:
                return await self._ticket_caller(ticket)
        header = connection.headers.get("authorization")
        if header is None:
            return await self._open_caller()
        kind, _, secret = header.partition(" ")
        if kind.lower() != "bearer" or not SECRET.fullmatch(secret):
            raise Problem("unknown-key")
        key = self.keys.recall(secret)
        if key is None:
            key = await run_in_threadpool(self.keys.find, secret)
        if key is None:
            raise Problem("unknown-key")
        rate = key.rate_per_minute or self.settings.rate_per_minute
        self.rates.take(key.id, key.name, rate)
        return self._principal(key)

    async def _ticket_caller(self, secret: str) -> Principal:
        ticket = await run_in_threadpool(self.tickets.redeem, secret)
        if ticket is None:
            raise Problem("ticket-refused")
        if ticket.key_id is None:
            return await self._open_caller()
        key = await run_in_threadpool(self.keys.get, ticket.key_id)
        if key is None:
            raise Problem("unknown-key")
        return self._principal(key)

    async def _open_caller(self) -> Principal:
        needs_key = True
        if self.settings.is_loopback:
            recalled = self.keys.recall_any()
            needs_key = (
                await run_in_threadpool(self.keys.any) if recalled is None else recalled
            )
        if needs_key:
            raise Problem("no-key")
        return Principal(
            LOCAL_OWNER, None, None, frozenset(SCOPES), self._quotas(Quotas())
        )

    def _principal(self, key: KeyRecord) -> Principal:
        quotas = self._quotas(key.quotas)
        return Principal(key.owner, key.id, key.name, frozenset(key.scopes), quotas)

    def _quotas(self, own: Quotas) -> Quotas:
        """A key's quotas, with the settings' where it has none of its own."""

        def either(value: int | None, default: Any) -> int:
            return int(default) if value is None else value

        return Quotas(
            scenes=either(own.scenes, self.settings.quota_scenes),
            bytes=either(own.bytes, self.settings.quota_bytes),
            builds_per_day=either(
                own.builds_per_day, self.settings.quota_builds_per_day
            ),
        )


def _needs_caller(path: str) -> bool:
    return path == "/metrics" or path == "/v1" or path.startswith("/v1/")
