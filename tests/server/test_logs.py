from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from nvs_server.logs import configure_logging, logger

KEY = "nvs_" + "aB-_" * 10 + "xyz"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def entries(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_both_kinds_of_loggers_give_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logger("nvs_server.here").info("built", views=3)
        logging.getLogger("library").warning("careful with %s", "it")
        logging.getLogger("library").debug("unseen")
    ours, theirs = entries(capsys)
    assert (ours["event"], ours["views"], ours["level"]) == ("built", 3, "info")
    assert (ours["logger"], ours["request_id"]) == ("nvs_server.here", "r1")
    assert (theirs["event"], theirs["request_id"]) == ("careful with it", "r1")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_people_at_a_terminal_get_lines(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    configure_logging("info", "auto")
    logger("nvs_server.serve").info("listening", url="http://127.0.0.1:8000")
    said = capsys.readouterr().err
    assert said.startswith("{") != is_terminal
    assert "listening" in said
    assert "http://127.0.0.1:8000" in said


def test_keys_and_tickets_are_blanked(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    logging.getLogger("any").error("GET /v1/stream?ticket=abc-DEF_1&x=2 [accepted]")
    logger("any").info("header", value=f"Bearer {KEY}")
    try:
        raise ValueError(KEY)
    except ValueError:
        logger("any").exception("failed")
    said = capsys.readouterr().err
    assert KEY not in said
    assert "abc-DEF_1" not in said
    assert "ticket=[redacted]&x=2" in said
    assert "Traceback" in said


def test_noise_of_libraries_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("debug", "json")
    logging.getLogger("uvicorn.error").info('"WebSocket /v1?ticket=abc" [accepted]')
    logging.getLogger("uvicorn.access").info("GET /")
    logging.getLogger("websockets.server").debug("> Authorization: Bearer x")
    assert entries(capsys) == []
    logging.getLogger("uvicorn.error").error("broken")
    assert [entry["event"] for entry in entries(capsys)] == ["broken"]


def test_the_console_format_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "console")
    logger("any").info("unseen")
    logger("any").warning("seen", key=KEY)
    said = capsys.readouterr().err
    assert "seen" in said
    assert "unseen" not in said
    assert KEY not in said


def test_secrets_in_a_traceback_are_blanked_on_the_console(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "console")
    header = f"Bearer {KEY}"
    try:
        raise ValueError(header[:3])
    except ValueError:
        logger("any").exception("failed")
    said = capsys.readouterr().err
    assert "ValueError: Bea" in said
    assert KEY not in said
