"""The data of a run: sources with weights, dealt to devices, made ahead of time.

Each group of scenes comes from one source. Step t of a device is a function of
(configuration, t, progress at t, device number): nothing has to be remembered to
resume. Worker processes prepare what can be done ahead on a CPU; the rest is done on
the training device, or by them too if that is a CPU.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import random
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from nvs.cameras.normalisation import Kind
from nvs.errors import ConfigError, NvsError
from nvs.model.trained_on import Poses, TrainedOn
from nvs.train import runtime
from nvs.train.batch import Batch, Order, training_seed
from nvs.train.config import TrainConfig
from nvs.train.distributed import Processes
from nvs.train.schedule import baseline_at, stage_at, view_counts
from nvs.train.sets import SetSource
from nvs.train.sources import Source, SyntheticSource, named_source


@dataclass(frozen=True, kw_only=True, slots=True)
class Mixture:
    """Sources and their weights."""

    sources: Sequence[Source]
    """Where scenes come from."""
    weights: Sequence[float]
    """How often each is drawn, in proportion."""

    def orders(
        self, config: TrainConfig, step: int, progress: float, *, rank: int, world: int
    ) -> list[tuple[int, Order]]:
        """What a device needs for a step, as (index of the source, order).

        The groups of a step are numbered; a device takes every `world`-th, so that all
        devices together always train on the same scenes. `check_dealing` has made sure
        that every device gets the same number.
        """
        index, within = stage_at(config, progress)
        stage = config.stages[index]
        num_groups = stage.batch // config.scenes_per_group
        num_inputs, num_targets = view_counts(config, step, stage)
        orders: list[tuple[int, Order]] = []
        for group in range(rank, num_groups, world):
            seed = training_seed(config.seed, step, group)
            draw = random.Random(f"source {seed}")
            (source,) = draw.choices(range(len(self.sources)), self.weights)
            order = Order(
                seed=seed,
                num_scenes=config.scenes_per_group,
                num_inputs=num_inputs,
                num_targets=num_targets,
                height=stage.height,
                width=stage.width,
                field_of_view=stage.field_of_view,
                baseline=baseline_at(stage, within),
                num_repeated=min(stage.repeated, num_inputs),
                with_depth=stage.learns == "density",
            )
            orders.append((source, order))
        return orders


def check_dealing(config: TrainConfig, processes: Processes) -> None:
    """Refuse a run that one of its stages could not share out among the devices.

    Scenes are dealt to those that hold other scenes, the inputs and the targets of a
    scene to those that share it.

    Raises:
        ConfigError: Naming the stage.
    """
    world, sharing = processes.scenes.size, processes.views.size
    for index, stage in enumerate(config.stages):
        fewest = min(min(counts) for counts in stage.view_counts)
        if fewest < sharing:
            raise ConfigError(
                f"stages[{index}]: {fewest} views cannot be dealt to {sharing} devices "
                "that share a scene",
                remedy="Choose stages[].inputs and targets of that number or more, or "
                "a smaller --context-parallel.",
            )
        num_groups = stage.batch // config.scenes_per_group
        if num_groups % world:
            raise ConfigError(
                f"stages[{index}]: {num_groups} groups of {config.scenes_per_group} "
                f"scenes cannot be dealt evenly to {world} devices",
                remedy="Choose stages[].batch and scenes_per_group so that the number "
                "of groups is a multiple of the number of devices.",
            )


def check_sources(config: TrainConfig, mixture: Mixture) -> None:
    """Refuse posed sets that are too small for one of the stages, or lack a depth.

    Raises:
        DatasetError: Naming the set, how many views it has and how many it needs.
        ConfigError: If densities are to be learned from them.
    """
    num_inputs, num_targets = max(
        (counts for stage in config.stages for counts in stage.view_counts), key=sum
    )
    for source in mixture.sources:
        if config.learns_density and not isinstance(source, SyntheticSource):
            raise ConfigError(
                f"nothing says how far the surfaces of {source.name} are, which a "
                "stage that learns density needs",
                remedy="Learn densities in a run of its own, of synthetic:object=1 or "
                "synthetic:room=1, and begin with its weights (--init) with stages "
                "that do not.",
            )
        if isinstance(source, SetSource):
            source.check(num_inputs, num_targets)


def parse_mixture(
    text: str, *, framing: Kind, photographs: str | None = None
) -> Mixture:
    """The mixture that `source=weight,source=weight` describes.

    A source without a weight has 1. Sources and the other arguments are those of
    `named_source`.

    Raises:
        ConfigError: If a source is unknown or a weight is not a positive number.
        DatasetError: If a path holds no posed sets.
    """
    sources: list[Source] = []
    weights: list[float] = []
    for part in text.split(","):
        name, equals, weight = part.strip().rpartition("=")
        if not equals:
            name, weight = weight, "1"
        try:
            value = float(weight)
        except ValueError:
            value = math.nan
        if not name or not 0 < value < math.inf:
            raise ConfigError(
                f"the data source {part.strip()!r} has no positive weight",
                remedy="Write it as source=weight, such as synthetic:object=1.",
            )
        sources.append(named_source(name, framing=framing, photographs=photographs))
        weights.append(value)
    return Mixture(sources=sources, weights=weights)


def trained_on(config: TrainConfig, mixture: Mixture) -> TrainedOn:
    """The record for the weights of a run, from its stages and its sources.

    Raises:
        ConfigError: If some sources have object poses and others scene poses.
    """
    seen = [source.shows for source in mixture.sources]
    names: dict[Poses | None, str] = {
        record.poses: source.name
        for record, source in zip(seen, mixture.sources, strict=True)
    }
    if "object" in names and "scene" in names:
        raise ConfigError(
            f"{names['object']} has object poses and {names['scene']} scene poses",
            remedy="Train on one kind, with framing mean_camera for posed sets beside "
            "synthetic:room, and none or object beside synthetic:object.",
        )
    stages = [stage for stage in config.stages if stage.learns == "images"]
    if not stages:  # they render nothing yet
        return TrainedOn.union(seen)
    return TrainedOn.union(seen).with_stages(
        [(stage.height, stage.width) for stage in stages],
        [count for stage in stages for count in stage.inputs],
    )


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
) -> Generator[Batch]:
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
    device = processes.device
    rank, world = processes.scenes.rank, processes.scenes.size
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
        worker_init_fn=_begin_worker,
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


def _begin_worker(worker: int) -> None:
    """Leave Ctrl-C, which reaches all processes, and what is to be said to the first.

    A worker ends when the loop lets go of it. Sets were read once before it began, and
    what is missing from them was said then.
    """
    logging.getLogger("nvs.data").setLevel(logging.ERROR)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # A thread sends the batches: an interpreter that ends under it aborts.
    atexit.register(os._exit, 0)


def _unchanged(made: list[Any] | _Failure) -> list[Any] | _Failure:
    return made
