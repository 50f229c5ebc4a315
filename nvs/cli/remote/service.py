"""`nvs remote login` and `status`: who one is to a server, and how busy it is."""

from __future__ import annotations

import sys

import typer

from nvs.cli.remote import connection
from nvs.terminal import options, output


def login(
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Check a server and a key, and remember both in a private file."""
    from http import HTTPStatus
    from urllib.parse import urlsplit

    from nvs.client import Client, ServiceError

    address = connection.server_address(server)
    key = connection.given_key(key_file)
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
    path = connection.save(address, key)
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


def status(
    server: connection.Server = None,
    key_file: connection.KeyFile = None,
    json: options.Json = False,
) -> None:
    """Show owner, usage, models, workers and queues."""
    with connection.connect(server, key_file) as client:
        me, models, capacity = client.me(), client.models(), client.capacity()
    workers = [f"{worker.device} {worker.state}" for worker in capacity.workers]
    output.print_result(
        {
            "server": connection.server_address(server),
            "owner": me.owner,
            "scopes": ", ".join(me.scopes),
            "scenes": _of(me.usage.scenes, me.quotas.scenes),
            "bytes": _of(me.usage.bytes, me.quotas.bytes),
            "builds_today": _of(me.usage.builds_today, me.quotas.builds_per_day),
            "models": ", ".join(model.id for model in models),
            "workers": ", ".join(workers),
            "renders": _of(capacity.queue.renders, capacity.queue.renders_limit),
            "jobs": _of(capacity.queue.jobs, capacity.queue.jobs_limit),
            "draining": capacity.draining,
        },
        as_json=json,
        title="service",
    )


def _of(used: int, limit: int | None) -> str:
    return f"{used:,}" if limit is None else f"{used:,} of {limit:,}"
