"""`nvs serve` and `nvs keys`: the service, and who may use it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.errors import ConfigError
from nvs.terminal import options, output
from nvs.terminal.extras import needs_extra

if TYPE_CHECKING:
    from nvs_server.storage.keys import KeyStore
    from nvs_server.storage.records import KeyRecord


def serve(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; 127.0.0.1. Others need an API key."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 8000. 0 takes a free one.")
    ] = None,
    data_folder: Annotated[
        Path | None, typer.Option(help="Folder of the database, files and caches.")
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="sqlite:///… or postgresql://…; a file in the data folder."),
    ] = None,
    blobs_url: Annotated[
        str | None,
        typer.Option(help="Folder or s3://… of stored files; in the data folder."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Weights to serve, separated by commas; the first is used."),
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(
            help="Such as cuda:0,cuda:1, or cuda:0+cuda:1 for one worker of both; "
            "every CUDA device, or cpu."
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, float32 or bfloat16.")
    ] = None,
    compile: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Run compiled as soon as that is done for this machine.",
        ),
    ] = None,
    max_render_queue: Annotated[
        int | None, typer.Option(help="Renders let in at one time; more get 429.")
    ] = None,
    max_job_queue: Annotated[
        int | None, typer.Option(help="Jobs let in at one time; more get 429.")
    ] = None,
    drain_seconds: Annotated[
        float | None, typer.Option(help="Time to finish requests after SIGTERM.")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(help="json or console; console on a terminal.")
    ] = None,
) -> None:
    """Serve the HTTP API and the web viewer until SIGTERM or Ctrl-C.

    Each option, and many more settings, can also be given as an environment variable,
    such as NVS_PORT; docs/server.md lists them all.
    """
    with needs_extra("server"):
        from nvs_server.serve import run
        from nvs_server.settings import load_settings

        run(
            load_settings(
                host=host,
                port=port,
                data_folder=data_folder,
                database_url=database_url,
                blobs_url=blobs_url,
                weights=weights,
                devices=devices,
                precision=precision,
                compile=compile,
                max_render_queue=max_render_queue,
                max_job_queue=max_job_queue,
                drain_seconds=drain_seconds,
                log_level=log_level,
                log_format=log_format,
            )
        )


keys = typer.Typer(
    help="Make, list and revoke the API keys of `nvs serve`.", no_args_is_help=True
)
DataFolder = Annotated[
    Path | None, typer.Option(help="Data folder of the server; as for `nvs serve`.")
]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="Database of the server; as for `nvs serve`.")
]


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, such as laptop.")],
    owner: Annotated[
        str | None, typer.Option(help="Whose scenes it sees; the name.")
    ] = None,
    scopes: Annotated[
        str, typer.Option(help="Of read, write, render, metrics and admin.")
    ] = "read,write,render",
    scenes: Annotated[
        int | None, typer.Option(help="Most scenes of the owner; the server's.")
    ] = None,
    num_bytes: Annotated[
        int | None, typer.Option("--bytes", help="Most stored bytes; the server's.")
    ] = None,
    builds_per_day: Annotated[
        int | None, typer.Option(help="Most builds a day; the server's.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="Most requests a minute; the server's.")
    ] = None,
    expires_days: Annotated[
        int | None,
        typer.Option(min=1, max=36500, help="Days until it ends; never."),
    ] = None,
    data_folder: DataFolder = None,
    database_url: DatabaseUrl = None,
    json: options.Json = False,
) -> None:
    """Make an API key and print its secret, which is shown this once only."""
    import sys
    from datetime import UTC, datetime, timedelta
    from json import dumps
    from typing import cast

    with _keys(data_folder, database_url) as store:
        from nvs_server.storage.records import Quotas, Scope

        wanted = [part.strip() for part in scopes.split(",") if part.strip()]
        ends = None
        if expires_days is not None:
            ends = datetime.now(UTC) + timedelta(days=expires_days)
        record, secret = store.create(
            name=name,
            owner=owner or name,
            scopes=cast("list[Scope]", wanted),
            quotas=Quotas(
                scenes=scenes, bytes=num_bytes, builds_per_day=builds_per_day
            ),
            rate_per_minute=rate,
            expires_at=ends,
        )
    if json:
        fields = {"id": record.id, "name": name, "owner": record.owner}
        sys.stdout.write(dumps(fields | {"secret": secret}) + "\n")
        return
    output.say(f"nvs: key {record.id} of {record.owner}; it is not shown again:")
    sys.stdout.write(secret + "\n")


@keys.command("list")
def list_keys(
    data_folder: DataFolder = None,
    database_url: DatabaseUrl = None,
    json: options.Json = False,
) -> None:
    """Every key ever made, without secrets."""
    import sys
    from json import dumps

    from rich.console import Console
    from rich.table import Table

    with _keys(data_folder, database_url) as store:
        rows = [_row(record) for record in store.list()]
    if json:
        sys.stdout.write(dumps(rows) + "\n")
        return
    table = Table()
    for column in ("id", "name", "owner", "scopes", "made", "state"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    Console().print(table)


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(help="An id from `nvs keys list`.")],
    data_folder: DataFolder = None,
    database_url: DatabaseUrl = None,
) -> None:
    """End a key for good; the next request with it is refused."""
    with _keys(data_folder, database_url) as store:
        if not store.revoke(key_id):
            raise ConfigError(
                f"there is no valid key {key_id!r}",
                remedy="`nvs keys list` shows ids and which keys are revoked.",
            )
    output.say(f"nvs: key {key_id} is revoked")


@contextmanager
def _keys(data_folder: Path | None, database_url: str | None) -> Generator[KeyStore]:
    """The key store of a server's database, created if it is new."""
    with needs_extra("server"):
        from nvs_server.settings import load_settings
        from nvs_server.storage.database import Database
        from nvs_server.storage.keys import KeyStore
    settings = load_settings(data_folder=data_folder, database_url=database_url)
    settings.make_data_folder()
    database = Database(settings.database)
    try:
        database.migrate()
        yield KeyStore(database)
    finally:
        database.dispose()


def _row(record: KeyRecord) -> dict[str, str]:
    from datetime import UTC, datetime

    state = "valid"
    if record.revoked_at is not None:
        state = "revoked"
    elif record.expires_at is not None and record.expires_at <= datetime.now(UTC):
        state = "expired"
    return {
        "id": record.id,
        "name": record.name,
        "owner": record.owner,
        "scopes": ",".join(record.scopes),
        "made": record.created_at.isoformat(timespec="seconds"),
        "state": state,
    }
