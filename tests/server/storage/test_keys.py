from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from nvs.api.system import Quotas
from nvs.errors import ConfigError
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore
from tests.server.storage.conftest import Clock

ROBOT: dict[str, Any] = {"name": "robot", "owner": "anna", "scopes": ["render", "read"]}


def test_key_is_found_by_its_secret_alone(keys: KeyStore) -> None:
    quotas = Quotas(scenes=3, bytes=2**40, builds_per_day=0)
    made, secret = keys.create(**ROBOT, quotas=quotas, rate_per_minute=60)
    assert re.fullmatch(r"nvs_[A-Za-z0-9_-]{43}", secret)
    assert keys.find(secret) == made
    assert made.scopes == ("read", "render")
    assert made.quotas == quotas
    for wrong in (secret[:-1], secret + "A", made.id, "", "nvs_\ud800", "nvs_\x00"):
        assert keys.find(wrong) is None


def test_secret_is_not_in_the_database(database: Database, keys: KeyStore) -> None:
    _, secret = keys.create(**ROBOT)
    with database.read() as session:
        row = session.execute(text("SELECT * FROM keys")).one()
    assert secret not in repr(row)
    assert secret.removeprefix("nvs_") not in repr(row)


def test_revoked_key_opens_nothing(keys: KeyStore) -> None:
    assert not keys.any()
    made, secret = keys.create(**ROBOT)
    assert keys.revoke(made.id)
    assert not keys.revoke(made.id)
    assert not keys.revoke("unknown")
    assert keys.find(secret) is None
    assert keys.any()
    assert [key.revoked_at is None for key in keys.list()] == [False]


def test_key_ends_at_its_time(keys: KeyStore, clock: Clock) -> None:
    made, secret = keys.create(**ROBOT, expires_at=clock() + timedelta(hours=1))
    assert keys.find(secret) == made
    clock.advance(hours=1)
    assert keys.find(secret) is None


def test_list_is_in_the_order_made(keys: KeyStore) -> None:
    made = [keys.create(**ROBOT | {"name": name})[0] for name in "abc"]
    assert keys.list() == made


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": " "}, "name cannot be ' '. Give 1 to 200 printable"),
        ({"owner": "a\nb"}, r"owner cannot be 'a\\nb'"),
        ({"owner": "x" * 201}, "owner cannot be 'xxx"),
        ({"scopes": ["fly"]}, "unknown scope 'fly'. Choose from read, write"),
        ({"scopes": []}, "a key needs a scope. Choose from"),
        ({"quotas": Quotas(bytes=-1)}, "quota of bytes cannot be -1"),
        ({"quotas": Quotas(scenes=2**63)}, "quota of scenes cannot be 9223"),
        ({"rate_per_minute": 0}, "rate per minute cannot be 0. Give a number from 1"),
    ],
)
def test_values_that_cannot_work_are_refused(
    keys: KeyStore, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        keys.create(**ROBOT | change)
    assert not keys.any()


def test_key_that_has_ended_already_is_refused(keys: KeyStore, clock: Clock) -> None:
    with pytest.raises(ConfigError, match="would have expired at 2030-01-01"):
        keys.create(**ROBOT, expires_at=clock())
