"""`nvs serve`: the renderer service on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal.extras import needs_extra


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
        typer.Option(help="Such as cuda:0,cuda:1; every CUDA device, or cpu."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="auto, float32 or bfloat16.")
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
    log_format: Annotated[str | None, typer.Option(help="json or console.")] = None,
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
                max_render_queue=max_render_queue,
                max_job_queue=max_job_queue,
                drain_seconds=drain_seconds,
                log_level=log_level,
                log_format=log_format,
            )
        )
