"""`nvs remote login`: remember a server and its key."""

from __future__ import annotations

import sys

import typer

from nvs.cli.remote import options, saved
from nvs.terminal import options as common
from nvs.terminal import output


def login(
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """Check a server and a key, and remember both in a private file."""
    from http import HTTPStatus
    from urllib.parse import urlsplit

    from nvs.client import Client, ServiceError

    address = options.server_address(server)
    key = options.given_key(key_file)
    with Client(address, key=key) as client:
        try:
            me = client.me()
        except ServiceError as error:
            asks = error.status == HTTPStatus.UNAUTHORIZED
            if key is not None or not asks or not sys.stdin.isatty():
                raise
            key = str(typer.prompt("key", hide_input=True, err=True)).strip()
            with Client(address, key=key) as retried:
                me = retried.me()
    parts = urlsplit(address)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if key is not None and parts.scheme == "http" and not local:
        output.say("nvs: the key goes to this server unencrypted; prefer https")
    path = saved.save(address, key)
    output.print_result(
        {
            "server": address,
            "owner": me.owner,
            "scopes": ", ".join(me.scopes),
            "saved": str(path),
        },
        as_json=json,
        title=f"logged in to {address}",
    )
