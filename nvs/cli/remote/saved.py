"""What `nvs remote login` remembers: a private file with server and keys."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from platformdirs import user_config_path

from nvs.errors import ConfigError
from nvs.files import atomic_output

PRIVATE = 0o600
OTHERS = 0o077


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """The server that is used without an option, and the key of each server."""

    server: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict[str, str])


def saved_path() -> Path:
    """Where it is kept."""
    return user_config_path("lact-nvs") / "remote.json"


def load() -> Saved:
    """What was saved; nothing if there was no login.

    Raises:
        ConfigError: If the file is damaged, or others may read it.
    """
    path = saved_path()
    try:
        mode = path.stat().st_mode
        content = json.loads(path.read_text(encoding="utf-8"))
        saved = Saved(server=str(content["server"]), keys=dict(content["keys"]))
    except FileNotFoundError:
        return Saved()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ConfigError(
            f"{path} cannot be used ({error})",
            remedy="Delete it and log in again with `nvs remote login`.",
        ) from error
    if os.name == "posix" and mode & OTHERS:
        raise ConfigError(
            f"{path} holds keys and may be read by others",
            remedy=f"Close it with: chmod 600 {path}",
        )
    return saved


def save(server: str, key: str | None) -> Path:
    """Remember a server and its key, beside those of other servers; returns where."""
    keys = {**load().keys}
    if key is None:
        keys.pop(server, None)
    else:
        keys[server] = key
    path = saved_path()
    with atomic_output(path, mode=PRIVATE) as temporary:
        content = asdict(Saved(server=server, keys=keys))
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path
