"""`nvs weights`: list, fetch, describe and convert network weights."""

from __future__ import annotations

from typing import Annotated

import typer

from nvs.terminal import options, output

app = typer.Typer(help="List, fetch, describe and convert network weights.")


@app.command("list")
def list_weights(json: options.Json = False) -> None:
    """Every named set of weights, and whether it is on this machine."""
    import sys
    from json import dumps

    from rich.console import Console
    from rich.table import Table

    from nvs.model.trained_on import TrainedOn
    from nvs.model.weights import REGISTRY, describe

    rows = [describe(name) for name in REGISTRY]
    if json:
        sys.stdout.write(dumps(rows, default=TrainedOn.to_json) + "\n")
        return
    table = Table()
    for column in ("name", "trained on", "source", "here"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row["name"],
            str(row["trained_on"]),
            row["source"],
            "yes" if row["path"] else "no",
        )
    Console().print(table)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="A name from `nvs weights list`.")],
    json: options.Json = False,
) -> None:
    """Download named weights (resumes), record their hash and print where they are."""
    from nvs.errors import CheckpointError
    from nvs.files import file_sha256
    from nvs.model.weights import get_weights, recorded_hash_path

    path = get_weights(name)
    found = file_sha256(path)
    record = recorded_hash_path(path)
    if record.is_file() and record.read_text().strip() != found:
        raise CheckpointError(
            f"{path} changed since it was downloaded (SHA-256 {found[:12]}…)",
            remedy="Delete it and fetch it again.",
        )
    output.print_result(
        {"name": name, "path": str(path), "sha256": found}, as_json=json, title=name
    )


@app.command("info")
def info(
    name: Annotated[str, typer.Argument(help="A name, a file or an exported folder.")],
    json: options.Json = False,
) -> None:
    """Describe weights: what they were trained on, configuration, digest, origin."""
    from nvs.cli.info import describe_weights

    output.print_result(describe_weights(name, as_json=json), as_json=json, title=name)


@app.command("convert")
def convert(
    source: Annotated[
        str, typer.Argument(help="A name, a file such as a .pt, or an exported folder.")
    ],
    destination: options.Output,
    keep: Annotated[
        str, typer.Option(help="Precision to store: float32 or bfloat16.")
    ] = "float32",
    json: options.Json = False,
) -> None:
    """Write weights as a .safetensors file with their configuration inside."""
    from nvs.errors import ConfigError, OutputError
    from nvs.model.checkpoint import save_checkpoint
    from nvs.model.weights import load_weights
    from nvs.scene.precision import DTYPES

    if destination.suffix != ".safetensors":
        raise OutputError(
            f"cannot write {destination}", remedy="Name a .safetensors file."
        )
    if keep not in DTYPES:
        raise ConfigError(f"--keep is {keep!r}", remedy=f"Use {' or '.join(DTYPES)}.")
    weights = load_weights(source)
    checkpoint, name = weights.checkpoint, weights.name
    about = {**checkpoint.about, "trained_on": weights.trained_on.to_json()}
    about.pop("poses", None)
    digest = save_checkpoint(
        destination,
        checkpoint.config,
        checkpoint.state,
        about=about | {"converted_from": name},
        dtype=DTYPES[keep],
    )
    output.print_result(
        {"path": str(destination), "digest": digest, "keep": keep},
        as_json=json,
        title=f"converted {name}",
    )
