"""Bars for transfers, and for jobs that Ctrl-C cancels."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from nvs.terminal import output

if TYPE_CHECKING:
    from nvs.client import Client, Job, UploadProgress


@contextmanager
def transfer(description: str) -> Generator[Callable[[int, int], None]]:
    """A bar in bytes; yields a function to call with (done, total)."""
    with _bytes_bar() as bar:
        task = bar.add_task(description, total=None)

        def update(done_bytes: int, num_bytes: int) -> None:
            bar.update(task, completed=done_bytes, total=num_bytes)

        yield update


@contextmanager
def files() -> Generator[Callable[[UploadProgress], None]]:
    """A bar for the file at hand, with its place among all."""
    with _bytes_bar() as bar:
        task = bar.add_task("upload", total=None)
        num_skipped = 0
        current = ""

        def update(progress: UploadProgress) -> None:
            nonlocal num_skipped, current
            num_skipped += progress.is_skipped
            place = f"{progress.num_files_done + 1}/{progress.num_files}"
            skipped = f" ({num_skipped} there already)" if num_skipped else ""
            if progress.name != current:
                bar.reset(task)
                current = progress.name
            bar.update(
                task,
                description=f"{place} {progress.name}{skipped}",
                completed=progress.done_bytes,
                total=progress.num_bytes,
            )

        yield update


def waited(client: Client, job: Job) -> Job:
    """Wait for a job with a bar; an interrupt cancels it on the server.

    Raises:
        JobFailedError: If it fails or is cancelled.
    """
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bar:
            task = bar.add_task(job.stage, total=1.0)

            def update(job: Job) -> None:
                bar.update(task, description=job.stage, completed=job.progress)

            return client.wait(job.id, on_progress=update)
    except KeyboardInterrupt:
        client.cancel_job(job.id)
        output.say(f"nvs: cancelled the {job.kind} on the server")
        raise


def _bytes_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
