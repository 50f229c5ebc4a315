"""Several sources with weights; each group of scenes comes from one of them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nvs.cameras.normalisation import Kind
from nvs.errors import ConfigError
from nvs.train.batch import Order, training_seed
from nvs.train.config import TrainConfig
from nvs.train.schedule import baseline_at, stage_at, view_counts
from nvs.train.sets import SetSource
from nvs.train.sources import Source, SyntheticSource


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
            )
            orders.append((source, order))
        return orders


def check_dealing(config: TrainConfig, world: int) -> None:
    """Refuse a run that one of its stages could not share out among the devices.

    Raises:
        ConfigError: Naming the stage.
    """
    for index, stage in enumerate(config.stages):
        num_groups = stage.batch // config.scenes_per_group
        if num_groups % world:
            raise ConfigError(
                f"stages[{index}]: {num_groups} groups of {config.scenes_per_group} "
                f"scenes cannot be dealt evenly to {world} devices",
                remedy="Choose stages[].batch and scenes_per_group so that the number "
                "of groups is a multiple of the number of devices.",
            )


def check_view_counts(config: TrainConfig, mixture: Mixture) -> None:
    """Refuse posed sets that are too small for one of the stages.

    Raises:
        DatasetError: Naming the set, how many views it has and how many it needs.
    """
    num_inputs, num_targets = max(
        (counts for stage in config.stages for counts in stage.view_counts), key=sum
    )
    for source in mixture.sources:
        if isinstance(source, SetSource):
            source.check(num_inputs, num_targets)


def parse_mixture(
    text: str, *, framing: Kind, photographs: str | None = None
) -> Mixture:
    """The mixture that `source=weight,source=weight` describes.

    A source is `synthetic:object`, `synthetic:room`, or the path of posed sets as
    `SetSource` reads them. Synthetic surfaces also wear the photographs of a folder, if
    one is given.

    Raises:
        ConfigError: If a source is unknown or a weight is not a positive number.
        DatasetError: If a path holds no posed sets.
    """
    sources: list[Source] = []
    weights: list[float] = []
    for part in text.split(","):
        name, _, weight = part.strip().rpartition("=")
        try:
            value = float(weight)
        except ValueError:
            value = math.nan
        if not name or not 0 < value < math.inf:
            raise ConfigError(
                f"the data source {part.strip()!r} has no positive weight",
                remedy="Write it as source=weight, such as synthetic:object=1.",
            )
        sources.append(_source(name, framing, photographs))
        weights.append(value)
    return Mixture(sources=sources, weights=weights)


def _source(name: str, framing: Kind, photographs: str | None) -> Source:
    prefix, colon, kind = name.partition(":")
    if colon and prefix == "synthetic":
        return SyntheticSource(kind, photographs=photographs)
    if not Path(name).exists():
        raise ConfigError(
            f"there is no data source {name!r}",
            remedy="Use synthetic:object, synthetic:room or the path of posed sets.",
        )
    return SetSource(Path(name), framing=framing)
