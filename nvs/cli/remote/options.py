"""Options that every remote command has, and the client they describe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.cli.remote import saved

if TYPE_CHECKING:
    from nvs.client import Client

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
    key = given_key(key_file) or saved.load().keys.get(address)
    return Client(address, key=key)


def server_address(server: str | None) -> str:
    """Address of the service, without a slash at its end."""
    from nvs.client.transport import DEFAULT_SERVER

    address = server or os.environ.get(SERVER_VARIABLE) or saved.load().server
    return (address or DEFAULT_SERVER).rstrip("/")


def given_key(key_file: Path | None) -> str | None:
    """The key of a file or of the environment; None if there is neither.

    Raises:
        ConfigError: If the file cannot be read or holds no key.
    """
    from nvs.errors import ConfigError

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
