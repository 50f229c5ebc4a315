"""The application over a fake backend."""

from tests.server.conftest import backend, client, settings

__all__ = ["backend", "client", "settings"]
