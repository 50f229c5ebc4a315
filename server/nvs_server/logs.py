"""Logs on standard error, without secrets: JSON for machines, lines for people."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Literal

import structlog

REDACTED = "[redacted]"
SECRETS = re.compile(r"nvs_[\w-]{43}|(?<=ticket=)[^&\s\"']+")
"""API keys and tickets, wherever they turn up in a text."""
NOISY_LOGGERS = ("uvicorn.error", "uvicorn.access", "websockets", "alembic")
"""Libraries whose messages below warning say nothing, or repeat request lines."""

Event = structlog.typing.EventDict


def configure_logging(
    level: Literal["debug", "info", "warning", "error"],
    format: Literal["auto", "json", "console"],
) -> None:
    """Send what structlog and the standard library log through one format.

    Args:
        level: Lowest level that is logged.
        format: `json`; `console` for people; `auto` is that on a terminal, else `json`.
    """
    if format == "auto":
        format = "console" if sys.stderr.isatty() else "json"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in NOISY_LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(root.level, logging.WARNING))


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """Blank out keys and tickets in every text of a log entry."""
    return {
        name: SECRETS.sub(REDACTED, value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose entries carry the current request's id."""
    return structlog.stdlib.get_logger(name)
