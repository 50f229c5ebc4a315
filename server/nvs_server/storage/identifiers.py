"""Ids, and the cursors of pages sorted newest first."""

from __future__ import annotations

import base64
import re
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, tuple_

from nvs_server.storage.errors import InvalidCursor
from nvs_server.storage.tables import JobRow, SceneRow

_CURSOR = re.compile(r"([0-9]{1,18})-([a-z2-7]{26})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id() -> str:
    """A random id: a UUID4 as 26 lower-case base32 characters."""
    return base64.b32encode(uuid.uuid4().bytes).decode().rstrip("=").lower()


def cursor_after(row: SceneRow | JobRow) -> str:
    """The cursor of the page that follows this row."""
    return f"{(row.created_at - _EPOCH) // timedelta(microseconds=1)}-{row.id}"


def is_after(table: type[SceneRow | JobRow], cursor: str) -> ColumnElement[bool]:
    """The condition for a row to belong to the pages that a cursor begins.

    It does not need the row that the cursor was made of: that may have been deleted.

    Raises:
        InvalidCursor: If it is not of the form that `cursor_after` makes.
    """
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidCursor(cursor)
    try:
        created_at = _EPOCH + timedelta(microseconds=int(found[1]))
    except OverflowError as error:
        raise InvalidCursor(cursor) from error
    return tuple_(table.created_at, table.id) < (created_at, found[2])
