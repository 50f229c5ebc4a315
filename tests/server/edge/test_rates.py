from __future__ import annotations

import pytest

from nvs_server.edge import callers as module
from nvs_server.edge.callers import Rates
from nvs_server.edge.problems import Problem


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_then_refused_then_refilled() -> None:
    clock = Clock()
    rates = Rates(clock)
    for _ in range(30):
        rates.take("id", "ci", 30)
    with pytest.raises(Problem, match="'ci' may make 30 requests a minute") as caught:
        rates.take("id", "ci", 30)
    assert caught.value.status_code == 429
    assert caught.value.headers["Retry-After"] == "2"
    clock.now += 2
    rates.take("id", "ci", 30)
    with pytest.raises(Problem):
        rates.take("id", "ci", 30)


def test_keys_have_buckets_of_their_own() -> None:
    rates = Rates(Clock())
    rates.take("one", "one", 1)
    rates.take("two", "two", 1)
    with pytest.raises(Problem):
        rates.take("one", "one", 1)


def test_a_pause_never_saves_up_more_than_a_minute() -> None:
    clock = Clock()
    rates = Rates(clock)
    rates.take("id", "ci", 2)
    clock.now += 3600
    rates.take("id", "ci", 2)
    rates.take("id", "ci", 2)
    with pytest.raises(Problem):
        rates.take("id", "ci", 2)


def test_the_number_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BUCKETS", 2)
    rates = Rates(Clock())
    for key in ("a", "b", "c"):
        rates.take(key, key, 1)
    rates.take("a", "a", 1)
    with pytest.raises(Problem):
        rates.take("c", "c", 1)
