"""Batches for one step after another, made ahead of time.

Step t of a device is a function of (configuration, t, progress at t, device number):
nothing has to be remembered to resume. Sources that work best on the training device
fill their orders there; the others run in worker processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from nvs.errors import NvsError
from nvs.train.batch import Batch, Order
from nvs.train.config import TrainConfig
from nvs.train.mixture import Mixture


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error on its way out of a worker process."""

    kind: type[NvsError]
    problem: str
    remedy: str


class _Made(Dataset[list[Batch | None] | _Failure]):
    """Fills a step's orders, leaving out those meant for the device."""

    def __init__(self, mixture: Mixture, *, all_here: bool) -> None:
        self.mixture = mixture
        self.all_here = all_here

    def __getitem__(
        self, orders: list[tuple[int, Order]]
    ) -> list[Batch | None] | _Failure:
        try:
            return [self._fill(source, order) for source, order in orders]
        except NvsError as error:
            return _Failure(type(error), error.problem, error.remedy)

    def _fill(self, source: int, order: Order) -> Batch | None:
        chosen = self.mixture.sources[source]
        if chosen.on_device and not self.all_here:
            return None
        return chosen.load(order, torch.device("cpu"))


def batches(
    config: TrainConfig,
    mixture: Mixture,
    *,
    start: int,
    progress: Callable[[int], float],
    device: torch.device,
    rank: int,
    world: int,
) -> Iterator[Batch]:
    """Batches of the steps from `start` on, without end.

    Args:
        config: The run.
        mixture: Where scenes come from.
        start: The first step.
        progress: Progress at a step; asked when the step's data is ordered, which with
            workers is a few steps ahead.
        device: Where the batches are put.
        rank: Number of this device.
        world: Number of devices.

    Raises:
        NvsError: What a source raises, also from a worker process.
    """
    ordered: list[list[tuple[int, Order]]] = []

    def orders() -> Iterator[list[tuple[int, Order]]]:
        step = start
        while True:
            ordered.append(
                mixture.orders(config, step, progress(step), rank=rank, world=world)
            )
            yield ordered[-1]
            step += 1

    pin = device.type == "cuda"
    loader = DataLoader(
        _Made(mixture, all_here=device.type == "cpu"),
        sampler=orders(),
        batch_size=None,
        num_workers=config.workers,
        collate_fn=_unchanged,
        multiprocessing_context="spawn" if config.workers else None,
    )
    for made in loader:
        step_orders = ordered.pop(0)
        if isinstance(made, _Failure):
            raise made.kind(made.problem, remedy=made.remedy)
        filled: list[Batch] = []
        for batch, (source, order) in zip(made, step_orders, strict=True):
            if batch is None:
                filled.append(mixture.sources[source].load(order, device))
            else:
                filled.append((batch.pinned() if pin else batch).to(device))
        yield Batch.cat(filled)


def _unchanged(made: list[Batch | None] | _Failure) -> list[Batch | None] | _Failure:
    return made
