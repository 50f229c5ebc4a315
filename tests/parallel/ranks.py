"""Runs a function on some gloo ranks of this machine, one thread each."""

from __future__ import annotations

import io
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist

from nvs.parallel.meeting import PATIENCE, joined

DEADLINE_SECONDS = 150

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.parallel.ranks", "nvs.train.session"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a rank ended."""

    value: Any = None
    error: str | None = None
    """Type and text of what it raised."""
    exit_code: int | None
    seconds: float
    """From the start until all ranks had ended."""


def run_ranks(
    num_ranks: int, work: Callable[..., Any], *args: Any, patience: timedelta = PATIENCE
) -> list[Outcome]:
    """What `work(group, *args)` gives on each rank."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    started = time.monotonic()
    pipes = [_context.Pipe(duplex=False) for _ in range(num_ranks)]
    processes = [
        _context.Process(
            target=_rank,
            args=(rank, num_ranks, store.port, sender, patience, work, args),
        )
        for rank, (_, sender) in enumerate(pipes)
    ]
    for process, (_, sender) in zip(processes, pipes, strict=True):
        process.start()
        sender.close()
    answers = [_answer(receiver) for receiver, _ in pipes]
    for process in processes:
        process.join(DEADLINE_SECONDS)
        assert process.exitcode is not None, "a rank hangs"
    seconds = time.monotonic() - started
    return [
        Outcome(**answer, exit_code=process.exitcode, seconds=seconds)
        for answer, process in zip(answers, processes, strict=True)
    ]


def values(outcomes: list[Outcome]) -> list[Any]:
    """What ranks gave that must not have failed."""
    assert [outcome.error for outcome in outcomes] == [None] * len(outcomes)
    assert {outcome.exit_code for outcome in outcomes} == {0}
    return [outcome.value for outcome in outcomes]


def _answer(receiver: Connection) -> dict[str, Any]:
    try:
        content = receiver.recv_bytes() if receiver.poll(DEADLINE_SECONDS) else None
    except EOFError:  # it was killed
        content = None
    if content is None:
        return {}
    return torch.load(io.BytesIO(content), weights_only=False)


def _rank(
    rank: int,
    num_ranks: int,
    port: int,
    sender: Connection,
    patience: timedelta,
    work: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(num_ranks),
        LOCAL_WORLD_SIZE=str(num_ranks),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        TORCHELASTIC_USE_AGENT_STORE="True",
    )
    torch.set_num_threads(1)
    torch.manual_seed(0)
    answer: dict[str, Any] = {}
    code = 0
    try:
        with joined(torch.device("cpu"), patience=patience) as group:
            answer["value"] = work(group, *args)
    except BaseException as error:  # noqa: BLE001  it goes back to the test
        answer["error"] = f"{type(error).__name__}: {error}"
        code = 1
    buffer = io.BytesIO()
    torch.save(answer, buffer)
    sender.send_bytes(buffer.getvalue())
    os._exit(code)  # as `end_process` does
