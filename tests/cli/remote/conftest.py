"""The fake service as `nvs remote` finds it, and a home without earlier logins."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvs.client import Retries, jobs
from tests.fakes.backend import SCENE_CONTENT
from tests.fakes.service import Service


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NVS_SERVER", raising=False)
    monkeypatch.delenv("NVS_KEY", raising=False)
    return tmp_path


@pytest.fixture
def service(service: Service, home: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(
        "nvs.client.connection.Retries", lambda: Retries(first_seconds=0.001)
    )
    monkeypatch.setenv("NVS_SERVER", service.url)
    return service


@pytest.fixture
def scene_id(service: Service) -> str:
    """A scene that is ready."""
    return service.stored(SCENE_CONTENT)
