"""API keys, and single-use tickets that stand in for them: only digests are kept.

A secret has as many random bits as its digest, so that a plain SHA-256 is as good as a
slow password hash, and the look-up needs no constant time. Tickets are how a browser's
WebSocket proves who it is; they lie in the database, so that any gateway takes what
another gave out.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from sqlalchemy import ColumnElement, delete, select

from nvs.api.system import Quotas, Scope
from nvs.errors import ConfigError
from nvs_server.storage.database import Database
from nvs_server.storage.memo import Memo
from nvs_server.storage.records import KeyRecord
from nvs_server.storage.rows import new_id
from nvs_server.storage.tables import KeyRow, TicketRow

SECRET_PREFIX = "nvs_"
SCOPES: tuple[Scope, ...] = get_args(Scope)
TICKET_SECONDS = 30.0
"""How long a ticket may be used."""


def make_secret() -> str:
    """A new secret: `nvs_` and 43 URL-safe characters (256 bits)."""
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def secret_digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class KeyStore:
    """Makes, finds and revokes API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: Memo[KeyRecord | None] = Memo(database.version)
        """By id, and by the digest of the secret."""
        self._any: Memo[bool] = Memo(database.version)

    def create(
        self,
        *,
        name: str,
        owner: str,
        scopes: Sequence[Scope],
        quotas: Quotas | None = None,
        rate_per_minute: int | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[KeyRecord, str]:
        """Make a key; its secret is returned this once and kept nowhere.

        Args:
            name: What the key is for, to tell it from others.
            owner: Whose scenes it reaches; several keys may share an owner.
            scopes: What it may do, at least one.
            quotas: The owner's allowances under this key; None for no limits.
            rate_per_minute: Requests a minute; None for no limit.
            expires_at: When it ends by itself; None for never.

        Raises:
            ConfigError: If a value cannot work.
        """
        quotas = quotas or Quotas()
        now = self._database.now()
        _check(name, owner, scopes, quotas, rate_per_minute)
        if expires_at is not None and expires_at <= now:
            raise ConfigError(
                f"the key would have expired at {expires_at.isoformat()} already",
                remedy="Give a time in the future, or none.",
            )
        secret = make_secret()
        row = KeyRow(
            id=new_id(),
            name=name,
            owner=owner,
            secret_sha256=secret_digest(secret),
            scopes=[scope for scope in SCOPES if scope in scopes],
            quota_scenes=quotas.scenes,
            quota_bytes=quotas.bytes,
            quota_builds_per_day=quotas.builds_per_day,
            rate_per_minute=rate_per_minute,
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        )
        with self._database.write() as session:
            session.add(row)
        return KeyRecord.model_validate(row), secret

    def find(self, secret: str) -> KeyRecord | None:
        """The key of a secret; None if unknown, revoked or expired."""
        digest = secret_digest(secret)
        return self._find(digest, KeyRow.secret_sha256 == digest)

    def recall(self, secret: str) -> KeyRecord | None:
        """As `find`, without asking the database; None if that must be done."""
        return self._if_good(self._rows.recall(secret_digest(secret)))

    def get(self, key_id: str) -> KeyRecord | None:
        """The key of an id; None if unknown, revoked or expired."""
        return self._find(key_id, KeyRow.id == key_id)

    def recall_id(self, key_id: str) -> KeyRecord | None:
        """As `get`, without asking the database; None if that must be done."""
        return self._if_good(self._rows.recall(key_id))

    def _find(self, name: str, condition: ColumnElement[bool]) -> KeyRecord | None:
        return self._if_good(self._rows.keep(name, lambda: self._read(condition)))

    def _read(self, condition: ColumnElement[bool]) -> KeyRecord | None:
        wanted = select(KeyRow).where(condition)
        with self._database.read() as session:
            row = session.scalars(wanted).one_or_none()
            return None if row is None else KeyRecord.model_validate(row)

    def _if_good(self, key: KeyRecord | None) -> KeyRecord | None:
        if key is None or key.revoked_at is not None:
            return None
        if key.expires_at is not None and key.expires_at <= self._database.now():
            return None
        return key

    def list(self) -> list[KeyRecord]:
        """Every key ever made, oldest first."""
        in_order = select(KeyRow).order_by(KeyRow.created_at, KeyRow.id)
        with self._database.read() as session:
            return [KeyRecord.model_validate(row) for row in session.scalars(in_order)]

    def revoke(self, key_id: str) -> bool:
        """End a key for good; False if there is none of that id left to end."""
        with self._database.write() as session:
            row = session.get(KeyRow, key_id, with_for_update=True)
            if row is None or row.revoked_at is not None:
                return False
            row.revoked_at = self._database.now()
            return True

    def any(self) -> bool:
        """Whether a key was ever made, revoked ones included."""

        def read() -> bool:
            with self._database.read() as session:
                return session.scalar(select(KeyRow.id).limit(1)) is not None

        return self._any.keep(None, read)

    def recall_any(self) -> bool | None:
        """As `any`, without asking the database; None if that must be done."""
        return self._any.recall(None)


def _check(
    name: str,
    owner: str,
    scopes: Sequence[str],
    quotas: Quotas,
    rate_per_minute: int | None,
) -> None:
    for field, text in (("name", name), ("owner", owner)):
        if not text.strip() or not text.isprintable() or len(text) > 200:
            raise ConfigError(
                f"the key's {field} cannot be {text[:80]!r}",
                remedy="Give 1 to 200 printable characters.",
            )
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise ConfigError(
            f"unknown scope {unknown[0]!r}" if unknown else "a key needs a scope",
            remedy=f"Choose from {', '.join(SCOPES)}.",
        )
    limits = {
        "quota of scenes": quotas.scenes,
        "quota of bytes": quotas.bytes,
        "quota of builds per day": quotas.builds_per_day,
        "rate per minute": rate_per_minute,
    }
    for field, limit in limits.items():
        lowest = 1 if field == "rate per minute" else 0
        if limit is not None and not lowest <= limit < 2**63:
            raise ConfigError(
                f"the key's {field} cannot be {limit}",
                remedy=f"Give a number from {lowest}, or none for no limit.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a ticket stood for.

    Attributes:
        key_id: The key of the caller who asked for it; None on an open server.
    """

    key_id: str | None


class TicketStore:
    """Tickets, each good once and for `TICKET_SECONDS`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def issue(self, key_id: str | None) -> str:
        """A new ticket for the caller with a key, or for one without."""
        secret = secrets.token_urlsafe(32)
        now = self._database.now()
        row = TicketRow(
            secret_sha256=secret_digest(secret),
            key_id=key_id,
            expires_at=now + timedelta(seconds=TICKET_SECONDS),
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
