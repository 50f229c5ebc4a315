"""Alembic revisions of the tables, applied by the service itself at its start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from nvs.errors import ConfigError

_FOLDER = str(Path(__file__).parent)


def upgrade(connection: Connection) -> None:
    """Bring the tables up to this version, in the connection's transaction.

    Raises:
        ConfigError: If the tables are those of a newer version.
    """
    config = Config()
    config.set_main_option("script_location", _FOLDER.replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            f"the database's tables cannot be upgraded: {error}",
            remedy="They were probably made by a newer version; run that one, or "
            "restore a backup made before it.",
        ) from error
