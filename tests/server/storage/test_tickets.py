from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from nvs_server.storage.database import Database
from nvs_server.storage.keys import TICKET_SECONDS, Ticket, TicketStore
from nvs_server.storage.tables import TicketRow
from tests.server.storage.conftest import Clock, at_once

ADA = Ticket(key_id="a" * 26)


@pytest.fixture
def tickets(database: Database) -> TicketStore:
    return TicketStore(database)


@pytest.mark.parametrize("key_id", [ADA.key_id, None])
def test_a_ticket_works_once(tickets: TicketStore, key_id: str | None) -> None:
    secret = tickets.issue(key_id)
    assert tickets.redeem(secret) == Ticket(key_id=key_id)
    assert tickets.redeem(secret) is None


def test_a_ticket_ends_after_its_lifetime(tickets: TicketStore, clock: Clock) -> None:
    early, late = tickets.issue(ADA.key_id), tickets.issue(ADA.key_id)
    clock.advance(seconds=TICKET_SECONDS - 0.001)
    assert tickets.redeem(early) == ADA
    clock.advance(seconds=0.001)
    assert tickets.redeem(late) is None


def test_expired_tickets_do_not_pile_up(
    tickets: TicketStore, database: Database, clock: Clock
) -> None:
    for _ in range(3):
        tickets.issue(None)
        clock.advance(seconds=TICKET_SECONDS + 1)
    newest = tickets.issue(None)
    with database.read() as session:
        assert len(session.scalars(select(TicketRow)).all()) == 1
    assert tickets.redeem(newest) is not None


def test_gateways_share_tickets_and_one_of_them_gets_each(
    database: Database, clock: Clock
) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    gateways = [Database(url, clock=clock) for _ in range(4)]
    stores = [TicketStore(gateway) for gateway in gateways]
    for _ in range(5):
        secret = stores[0].issue(ADA.key_id)
        got: Any = at_once(4, lambda i, secret=secret: stores[i].redeem(secret))
        assert (got.count(ADA), got.count(None)) == (1, 3)
    for gateway in gateways:
        gateway.dispose()


def test_tickets_cannot_be_guessed_nor_read_from_the_database(
    tickets: TicketStore, database: Database
) -> None:
    secret = tickets.issue(None)
    assert len(secret) >= 43
    with database.read() as session:
        (row,) = session.scalars(select(TicketRow))
    assert secret not in vars(row).values()


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "\0", "ü" * 10_000])
def test_anything_else_is_no_ticket(tickets: TicketStore, secret: str) -> None:
    tickets.issue(None)
    assert tickets.redeem(secret) is None
