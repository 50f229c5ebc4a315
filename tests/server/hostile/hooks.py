"""Loaded by Schemathesis: how bodies are sent whose media type it does not know."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/zip", "video/mp4")
def as_is(context: Any, value: Any) -> bytes:
    """Bytes as they are; anything else as its text."""
    del context
    return value if isinstance(value, bytes) else str(value).encode()
