"""`nvs keys`, in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def keys(tmp_path: Path) -> Run:
    folder = ("--data-folder", str(tmp_path / "data"))

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*(sys.executable, "-m", "nvs.cli", "keys"), *args, *folder],
            capture_output=True,
            text=True,
        )

    return run


def test_a_key_is_made_listed_and_revoked(keys: Run, tmp_path: Path) -> None:
    made = keys("create", "laptop", "--owner", "ada", "--scopes", "read, render")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    assert re.fullmatch(r"nvs_[A-Za-z0-9_-]{43}", secret)
    assert secret not in made.stderr
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes()

    (row,) = json.loads(keys("list", "--json").stdout)
    assert (row["name"], row["owner"], row["state"]) == ("laptop", "ada", "valid")
    assert row["scopes"] == "read,render"
    assert keys("revoke", row["id"]).returncode == 0
    (row,) = json.loads(keys("list", "--json").stdout)
    assert row["state"] == "revoked"
    again = keys("revoke", row["id"])
    assert again.returncode == 2
    assert "there is no valid key" in again.stderr


def test_json_has_the_secret_once(keys: Run) -> None:
    made = json.loads(keys("create", "ci", "--json").stdout)
    assert made["owner"] == "ci"
    assert made["secret"].startswith("nvs_")
    assert "secret" not in json.loads(keys("list", "--json").stdout)[0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--scopes", "read,fly"), "unknown scope 'fly'"),
        (("--scopes", ""), "a key needs a scope"),
        (("--scenes", "-1"), "quota of scenes cannot be -1"),
        (("--rate", "0"), "rate per minute cannot be 0"),
    ],
)
def test_bad_values_end_in_one_line(
    keys: Run, args: tuple[str, ...], message: str
) -> None:
    refused = keys("create", "ci", *args)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
