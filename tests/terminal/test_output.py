"""What commands print, and how often."""

from __future__ import annotations

import logging

import pytest

from nvs.terminal import output


def test_a_message_is_said_once_in_a_block(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("nvs.data")
    for _ in range(2):
        with output.said_once("nvs.data"):
            for name in ("a", "b", "a", "a"):
                logger.warning("%s: an image is missing", name)
    assert caplog.messages == ["a: an image is missing", "b: an image is missing"] * 2
    logger.warning("again")
    logger.warning("again")
    assert caplog.messages[-2:] == ["again", "again"]
