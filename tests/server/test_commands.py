"""`nvs keys`; `nvs serve` and it where something is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nvs.errors import ConfigError
from nvs_server.commands import keys as app

Run = Callable[..., Result]


@pytest.fixture
def keys(tmp_path: Path) -> Run:
    folder = ("--data-folder", str(tmp_path / "data"))

    def run(*args: str) -> Result:
        return CliRunner().invoke(app, [*args, *folder])

    return run


def test_a_key_is_made_listed_and_revoked(keys: Run, tmp_path: Path) -> None:
    made = keys("create", "laptop", "--owner", "ada", "--scopes", "read, render")
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert re.fullmatch(r"nvs_[A-Za-z0-9_-]{43}", secret)
    assert secret not in made.stderr
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or secret.encode() not in file.read_bytes()

    (row,) = json.loads(keys("list", "--json").stdout)
    assert (row["name"], row["owner"], row["state"]) == ("laptop", "ada", "valid")
    assert row["scopes"] == "read,render"
    assert keys("revoke", row["id"]).exit_code == 0
    (row,) = json.loads(keys("list", "--json").stdout)
    assert row["state"] == "revoked"
    again = keys("revoke", row["id"])
    assert isinstance(again.exception, ConfigError)
    assert "there is no valid key" in str(again.exception)


def test_json_has_the_secret_once(keys: Run) -> None:
    made = json.loads(keys("create", "ci", "--json").stdout)
    assert made["owner"] == "ci"
    assert made["secret"].startswith("nvs_")
    assert "secret" not in json.loads(keys("list", "--json").stdout)[0]


def test_the_table_shows_each_key(keys: Run) -> None:
    keys("create", "ci", "--expires-days", "3", "--scenes", "5")
    shown = keys("list").stdout
    assert "ci" in shown
    assert "valid" in shown


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--scopes", "read,fly"), "unknown scope 'fly'"),
        (("--scopes", ""), "a key needs a scope"),
        (("--scenes", "-1"), "quota of scenes cannot be -1"),
        (("--rate", "0"), "rate per minute cannot be 0"),
    ],
)
def test_bad_values_are_named(keys: Run, args: tuple[str, ...], message: str) -> None:
    refused = keys("create", "ci", *args)
    assert isinstance(refused.exception, ConfigError)
    assert message in str(refused.exception)


COMMANDS = (["serve", "--port", "0"], ["keys", "list"])


def without(module: str, command: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and errors of a command for which a module is not there."""
    code = (
        f"import sys; sys.modules[{module!r}] = None; from nvs.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--data-folder", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_extra_is_named(command: list[str], tmp_path: Path) -> None:
    code, said = without("sqlalchemy", command, tmp_path)
    assert code == 2
    assert said == (
        "nvs: this needs the package 'sqlalchemy', which is not installed. "
        "In the checkout of lact-nvs, run: pip install -e '.[server]'\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_module_of_ours_that_is_missing_is_a_fault(
    command: list[str], tmp_path: Path
) -> None:
    code, said = without("nvs_server.storage.keys", command, tmp_path)
    assert code == 1
    assert said.startswith("Traceback")
    assert "nvs_server.storage.keys" in said
    assert "pip install" not in said


def test_files_of_common_names_beside_us_are_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("server", "eval", "data_tools"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not ours')\n")
    for command in (["keys", "list", "--data-folder", "."], ["eval", "--help"]):
        subprocess.run(
            [sys.executable, "-m", "nvs.cli", *command], cwd=tmp_path, check=True
        )
