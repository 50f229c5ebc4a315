"""Finds out who is asking, before the request's body is read.

Everything under /v1 and /metrics needs a caller; so a route there cannot be open by
mistake. Scopes are checked by the routes' dependencies.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from nvs.api.system import Quotas
from nvs_server.access.principal import LOCAL_OWNER, SCOPES, Principal
from nvs_server.access.rates import Rates
from nvs_server.limits.admission import Admission
from nvs_server.problems import Problem, as_problem
from nvs_server.refusal import refuse
from nvs_server.settings import Settings
from nvs_server.storage.errors import StorageError
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.records import KeyRecord
from nvs_server.storage.tickets import TicketStore

SECRET = re.compile(r"nvs_[A-Za-z0-9_-]{43}")
WHILE_DRAINING = frozenset({"/metrics", "/v1/capacity"})
RENDERS = re.compile(r"/v1/scenes/[^/]+/renders?")
"""Paths of renders. When the house is full they are refused without looking anyone up:
what is not let in must cost what is let in next to nothing."""


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
        return Principal(LOCAL_OWNER, None, None, SCOPES, self._quotas(Quotas()))

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
