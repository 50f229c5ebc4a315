"""Which server and which key: options, environment, and what a login remembers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from platformdirs import user_config_path

from nvs.errors import ConfigError
from nvs.files import atomic_output

if TYPE_CHECKING:
    from nvs.client import Client

PRIVATE = 0o600
OTHERS = 0o077
SERVER_VARIABLE, KEY_VARIABLE = "NVS_SERVER", "NVS_KEY"

Server = Annotated[
    str | None,
    typer.Option(help="Address of the service; NVS_SERVER, or the one of `login`."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(help="File with the key; NVS_KEY, or the one of `login`."),
]
SceneId = Annotated[
    str, typer.Argument(metavar="SCENE", help="Id of a scene (`nvs remote scenes`).")
]


def connect(server: str | None, key_file: Path | None) -> Client:
    """A client for what the options, the environment or an earlier login say.

    A saved key goes only to the server that it was saved for.

    Raises:
        ConfigError: If a file or address cannot be used.
        MissingExtraError: If httpx is not installed.
    """
    from nvs.client import Client

    address = server_address(server)
    key = given_key(key_file) or load().keys.get(address)
    return Client(address, key=key)


def server_address(server: str | None) -> str:
    """Address of the service, without a slash at its end."""
    from nvs.client.transport import DEFAULT_SERVER

    address = server or os.environ.get(SERVER_VARIABLE) or load().server
    return (address or DEFAULT_SERVER).rstrip("/")


def given_key(key_file: Path | None) -> str | None:
    """The key of a file or of the environment; None if there is neither.

    Raises:
        ConfigError: If the file cannot be read or holds no key.
    """
    if key_file is None:
        return os.environ.get(KEY_VARIABLE) or None
    try:
        lines = key_file.read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the key file {key_file} ({error})",
            remedy="Check the path and its permissions.",
        ) from error
    if len(lines) != 1:
        raise ConfigError(
            f"{key_file} does not hold one key",
            remedy="It must have one line: what `nvs keys create` printed.",
        )
    return lines[0]


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
