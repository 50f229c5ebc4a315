from __future__ import annotations

import pytest

from nvs_server.access import tickets as module
from nvs_server.access.principal import SCOPES, Principal
from nvs_server.access.tickets import LIFETIME_SECONDS, Tickets
from nvs_server.problems import Problem
from nvs_server.storage.records import Quotas

ADA = Principal("ada", "k", "laptop", SCOPES, Quotas())


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_ticket_works_once() -> None:
    tickets = Tickets()
    ticket = tickets.issue(ADA)
    assert tickets.redeem(ticket) is ADA
    with pytest.raises(Problem) as caught:
        tickets.redeem(ticket)
    assert (caught.value.slug, caught.value.close_code) == ("ticket-refused", 4401)


def test_a_ticket_ends_after_its_lifetime() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    early, late = tickets.issue(ADA), tickets.issue(ADA)
    clock.now += LIFETIME_SECONDS - 0.001
    assert tickets.redeem(early) is ADA
    clock.now += 0.001
    with pytest.raises(Problem, match="older than 30 s"):
        tickets.redeem(late)


def test_the_number_of_tickets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TICKETS", 3)
    tickets = Tickets()
    issued = [tickets.issue(ADA) for _ in range(4)]
    assert len(set(issued)) == 4
    with pytest.raises(Problem):
        tickets.redeem(issued[0])
    assert [tickets.redeem(one) for one in issued[1:]] == [ADA] * 3


def test_tickets_cannot_be_guessed() -> None:
    assert len(Tickets().issue(ADA)) >= 43
