"""A fake service, and a home without earlier logins."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nvs.client import Retries, jobs


@pytest.fixture
def fakes() -> Any:
    """The module of the fake service of the client's tests."""
    name = "nvs_fake_service"
    if name not in sys.modules:
        file = Path(__file__).parents[2] / "client/service.py"
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NVS_SERVER", raising=False)
    monkeypatch.delenv("NVS_KEY", raising=False)
    return tmp_path


@pytest.fixture
def service(fakes: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(
        "nvs.client.async_client.Retries", lambda: Retries(first_seconds=0.001)
    )
    with fakes.running() as running:
        monkeypatch.setenv("NVS_SERVER", running.url)
        yield running
