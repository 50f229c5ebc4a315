"""What a login leaves behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from nvs.cli.remote import connection

SERVER, KEY = "http://service.example", "nvs_" + "k" * 43


@pytest.fixture
def open_umask() -> Any:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_key_is_private_between_any_two_lines(home: Path, open_umask: None) -> None:
    modes: set[int] = set()

    def look(frame: FrameType, event: str, argument: object) -> Any:
        sys.settrace(None)
        for path in home.rglob("*.json"):
            modes.add(path.stat().st_mode & 0o777)
        sys.settrace(look)
        return look

    for key in (KEY, KEY[::-1]):
        sys.settrace(look)
        try:
            path = connection.save(SERVER, key)
        finally:
            sys.settrace(None)
        assert connection.load().keys == {SERVER: key}
    assert modes == {connection.PRIVATE}
    assert path.stat().st_mode & 0o777 == connection.PRIVATE
