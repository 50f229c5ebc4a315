"""`nvs keys`: make, list and revoke the API keys of a renderer service."""

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

app = typer.Typer(
    help="Make, list and revoke the API keys of `nvs serve`.", no_args_is_help=True
)
DataFolder = Annotated[
    Path | None, typer.Option(help="Data folder of the server; as for `nvs serve`.")
]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="Database of the server; as for `nvs serve`.")
]


@app.command("create")
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


@app.command("list")
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


@app.command("revoke")
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
