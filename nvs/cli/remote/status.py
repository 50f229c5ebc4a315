"""`nvs remote status`: who one is to a server, and how busy it is."""

from __future__ import annotations

from nvs.cli.remote import options
from nvs.terminal import options as common
from nvs.terminal import output


def status(
    server: options.Server = None,
    key_file: options.KeyFile = None,
    json: common.Json = False,
) -> None:
    """Show owner, usage, models, workers and queues."""
    with options.connect(server, key_file) as client:
        me, models, capacity = client.me(), client.models(), client.capacity()
    workers = [f"{worker.device} {worker.state}" for worker in capacity.workers]
    output.print_result(
        {
            "server": options.server_address(server),
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
