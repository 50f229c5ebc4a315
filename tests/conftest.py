"""Fixtures shared by the whole suite."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

# What the processor is fast in must not decide what the suite compares.
os.environ.setdefault("NVS_PRECISION", "float32")
os.environ.setdefault("NVS_COMPILE", "0")
# Where the suite runs in the background SIGINT is ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference numbers and real captures, kept outside the tree."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no reference data: {folder.name}/ is not beside the checkout")
    return folder


@pytest.fixture(scope="session")
def running_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The application over a backend that computes nothing, once for all tests."""
    from tests.fakes.backend import MODEL, FakeBackend
    from tests.fakes.service import running

    limits = {"max_height": 1024, "max_width": 1024, "max_views": 64}
    model = MODEL.model_copy(update=limits)
    other = model.model_copy(update={"id": "large", "is_default": False})
    backend = FakeBackend(height=64, width=96, models=[model, other])
    with running(tmp_path_factory.mktemp("service"), backend) as service:
        yield service


@pytest.fixture
def service(running_service: Any) -> Iterator[Any]:
    """That application, open and whole: a `tests.fakes.service.Service`."""
    from structlog.testing import capture_logs

    running_service.refresh()
    with capture_logs():
        yield running_service


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `gpu` tests where there is no CUDA device."""
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)
