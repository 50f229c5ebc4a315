"""Batches for one step after another, made ahead of time.

Step t of a device is a function of (configuration, t, progress at t, device number):
nothing has to be remembered to resume. Worker processes prepare what can be done ahead
on a CPU; the rest is done on the training device, or by them too if that is a CPU.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from nvs.errors import NvsError
from nvs.train import runtime
from nvs.train.batch import Batch, Order
from nvs.train.config import TrainConfig
from nvs.train.distributed import Processes
from nvs.train.mixture import Mixture


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error on its way out of a worker process."""

    kind: type[NvsError]
    problem: str
    remedy: str


class _Made(Dataset[list[Any] | _Failure]):
    """Prepares a step's orders, and fills them where the training device is a CPU."""

    def __init__(self, mixture: Mixture, device: torch.device) -> None:
        self.mixture = mixture
        self.device = device

    def __getitem__(self, orders: list[tuple[int, Order]]) -> list[Any] | _Failure:
        try:
            return [self._make(source, order) for source, order in orders]
        except NvsError as error:
            return _Failure(type(error), error.problem, error.remedy)

    def _make(self, index: int, order: Order) -> Any:
        source = self.mixture.sources[index]
        prepared = source.prepare(order)
        if self.device.type == "cpu":
            return source.finish(prepared, order, self.device)
        return prepared


def batches(
    config: TrainConfig,
    mixture: Mixture,
    *,
    start: int,
    progress: Callable[[int], float],
    processes: Processes,
) -> Iterator[Batch]:
    """Batches of the steps from `start` on, without end.

    Args:
        config: The run.
        mixture: Where scenes come from.
        start: The first step.
        progress: Progress at a step; asked when the step's data is ordered, which with
            workers is a few steps ahead.
        processes: This process among those that train together; its device is where
            the batches are put.

    Raises:
        NvsError: What a source raises, also from a worker process.
    """
    device, rank, world = processes.device, processes.rank, processes.world
    num_workers = runtime.num_workers(config, processes)
    ordered: list[list[tuple[int, Order]]] = []

    def orders() -> Iterator[list[tuple[int, Order]]]:
        step = start
        while True:
            ordered.append(
                mixture.orders(config, step, progress(step), rank=rank, world=world)
            )
            yield ordered[-1]
            step += 1

    loader = DataLoader(
        _Made(mixture, device),
        sampler=orders(),
        batch_size=None,
        num_workers=num_workers,
        collate_fn=_unchanged,
        multiprocessing_context="spawn" if num_workers else None,
        worker_init_fn=_ignore_stop_signals,
        generator=torch.Generator(),
    )
    for made in loader:
        step_orders = ordered.pop(0)
        if isinstance(made, _Failure):
            raise made.kind(made.problem, remedy=made.remedy)
        if device.type != "cpu":
            made = [
                mixture.sources[source].finish(prepared, order, device)
                for prepared, (source, order) in zip(made, step_orders, strict=True)
            ]
        yield Batch.cat(made).repeating(step_orders[0][1].num_repeated)


def _ignore_stop_signals(worker: int) -> None:
    """Ctrl-C reaches all processes; a worker ends when the loop lets go of it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _unchanged(made: list[Any] | _Failure) -> list[Any] | _Failure:
    return made
