"""Single-use tickets: how a browser's WebSocket proves who it is."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from nvs_server.access.principal import Principal
from nvs_server.problems import Problem

LIFETIME_SECONDS = 30.0
MAX_TICKETS = 4096


class Tickets:
    """Tickets in memory, each good once and for `LIFETIME_SECONDS`.

    When `MAX_TICKETS` are out, the oldest is dropped.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._issued: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def issue(self, principal: Principal) -> str:
        """A new ticket for a caller."""
        self._drop_expired()
        while len(self._issued) >= MAX_TICKETS:
            self._issued.popitem(last=False)
        ticket = secrets.token_urlsafe(32)
        self._issued[ticket] = (self._clock() + LIFETIME_SECONDS, principal)
        return ticket

    def redeem(self, ticket: str) -> Principal:
        """Use a ticket up and give its caller.

        Raises:
            Problem: `ticket-refused`, 401, if it is unknown, used or too old.
        """
        self._drop_expired()
        found = self._issued.pop(ticket, None)
        if found is None:
            raise Problem("ticket-refused")
        return found[1]

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._issued:
            ticket, (expires, _) = next(iter(self._issued.items()))
            if expires > now:
                return
            del self._issued[ticket]
