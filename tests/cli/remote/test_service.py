"""`nvs remote login | status`, and whose key is sent where."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nvs.cli.remote import connection
from tests.fakes.service import OWNER, UNLIMITED


def test_status(nvs, service) -> None:
    done = nvs("remote", "status", "--json")
    assert done.json["owner"] == OWNER
    assert done.json["workers"] == "cpu ready"
    limit = UNLIMITED["quota_builds_per_day"]
    assert done.json["builds_today"].endswith(f" of {limit:,}")


def test_login_remembers_in_a_private_file(nvs, service, home, monkeypatch) -> None:
    key = service.key()
    (home / "key").write_text(f"{key}\n")
    done = nvs("remote", "login", "--key-file", home / "key", "--json")
    assert done.code == 0, done.err
    path = Path(done.json["saved"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert key not in done.out + done.err
    monkeypatch.delenv("NVS_SERVER")
    assert nvs("remote", "status").code == 0
    path.chmod(0o644)
    assert "may be read by others. Close it with: chmod 600" in (
        nvs("remote", "status").err
    )


def test_a_saved_key_goes_to_its_own_server_only(nvs, service, home) -> None:
    connection.save("http://elsewhere.example", "nvs_other")
    nvs("remote", "status")
    assert all("authorization" not in one.headers for one in service.proxy.requests)


def test_a_wrong_key_is_not_remembered(nvs, service, home) -> None:
    service.key()
    (home / "key").write_text("nvs_wrong")
    done = nvs("remote", "login", "--key-file", home / "key")
    assert done.code == 2
    assert "key" in done.err
    assert not connection.saved_path().exists()


def test_the_environment_gives_the_key(nvs, service, monkeypatch) -> None:
    monkeypatch.setenv("NVS_KEY", service.key())
    assert nvs("remote", "status").code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read the key file"), ("a\nb\n", "does not hold one key")],
)
def test_key_files_that_are_none(nvs, service, home, content, message: str) -> None:
    if content is not None:
        (home / "key").write_text(content)
    assert message in nvs("remote", "status", "--key-file", home / "key").err


def test_a_damaged_login(nvs, home) -> None:
    connection.saved_path().parent.mkdir(parents=True)
    connection.saved_path().write_text("{")
    assert "log in again with `nvs remote login`" in nvs("remote", "status").err


def test_help_is_fast() -> None:
    code = (
        "import sys; from nvs.cli.remote import app; "
        "print([name for name in ('torch', 'httpx', 'numpy') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[]", done.stderr
