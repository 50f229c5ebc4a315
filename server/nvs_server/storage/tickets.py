"""Single-use tickets: how a browser's WebSocket proves who it is.

They lie in the database, so that any gateway takes what another gave out.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete

from nvs_server.storage.database import Database
from nvs_server.storage.keys import secret_digest
from nvs_server.storage.tables import TicketRow

LIFETIME_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a ticket stood for.

    Attributes:
        key_id: The key of the caller who asked for it; None on an open server.
    """

    key_id: str | None


class TicketStore:
    """Tickets, each good once and for `LIFETIME_SECONDS`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue(self, key_id: str | None) -> str:
        """A new ticket for the caller with a key, or for one without."""
        secret = secrets.token_urlsafe(32)
        now = self._database.now()
        row = TicketRow(
            secret_sha256=secret_digest(secret),
            key_id=key_id,
            expires_at=now + timedelta(seconds=LIFETIME_SECONDS),
        )
        with self._database.write() as session:
            session.execute(delete(TicketRow).where(TicketRow.expires_at <= now))
            session.add(row)
        return secret

    def redeem(self, secret: str) -> Ticket | None:
        """Use a ticket up; None if it is unknown, used or too old.

        Of several that come with the same one, on any gateway, one gets it: that whose
        statement deletes the row.
        """
        used = (
            delete(TicketRow)
            .where(
                TicketRow.secret_sha256 == secret_digest(secret),
                TicketRow.expires_at > self._database.now(),
            )
            .returning(TicketRow.key_id)
        )
        with self._database.write() as session:
            found = session.execute(used).one_or_none()
        return None if found is None else Ticket(key_id=found.key_id)
