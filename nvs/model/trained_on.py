"""What weights were trained on, and so what they are for.

A weights file carries the record in its `about`, under `trained_on`; whatever it does
not say is unknown, never guessed.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nvs.errors import CheckpointError, ConfigError
from nvs.fields import require, typed

Poses = Literal["object", "scene"]
Background = Literal["white", "any"]
RANGES = {
    "num_inputs": (1, 2**20),
    "distance": (0, 2**20),
    "elevation_degrees": (-90, 90),
    "hfov_degrees": (0, 180),
}
"""Of each field that is a range: the least and the most it may say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedOn:
    """What weights were trained on; None is what is not known."""

    poses: Poses | None = None
    """`object`: cameras around [−1, 1]³ as they are; `scene`: mean-camera framing."""
    sizes: tuple[tuple[int, int], ...] | None = None
    """(height, width) of images in pixels, in the order of training; the last is what
    the weights are best at."""
    num_inputs: tuple[int, int] | None = None
    """Fewest and most input views."""
    distance: tuple[float, float] | None = None
    """Of the nearest and farthest cameras from the middle of the object, in model
    units; None for scene poses."""
    elevation_degrees: tuple[float, float] | None = None
    """Of the lowest and highest cameras, seen from the object."""
    hfov_degrees: tuple[float, float] | None = None
    """Narrowest and widest horizontal field of view."""
    background: Background | None = None
    """What is seen behind: `white`, or `any`thing."""

    def __post_init__(self) -> None:
        for key, (low, high) in RANGES.items():
            span = getattr(self, key)
            require(
                span is None or (low <= span[0] <= span[1] <= high),
                f"trained_on.{key}",
                span,
                f"It must be two numbers, the lower first, from {low:g} to {high:g}.",
            )
        require(self.sizes != (), "trained_on.sizes", [], "It must not be empty.")
        require(
            self.poses != "scene" or self.distance is None,
            "with scene poses trained_on.distance",
            self.distance,
            "It must be null: there is no object to be away from.",
        )

    @property
    def size(self) -> tuple[int, int] | None:
        """The (height, width) in pixels that the weights are best at."""
        return self.sizes[-1] if self.sizes else None

    @property
    def default_size(self) -> tuple[int, int] | int | None:
        """The size for `load_views` where none is asked for; None if not known."""
        return default_size(self.size)

    def size_concern(self, name: str, height: int, width: int) -> str | None:
        """What is to be expected of pictures far larger than those of the training.

        Args:
            name: Of the weights.
            height: Of a picture, in pixels.
            width: The same.
        """
        if self.size is None or max(height, width) <= 2 * max(self.size):
            return None
        return (
            f"{height}×{width} is more than twice the {self.size[0]}×{self.size[1]} "
            f"that {name} was trained at; patches may show"
        )

    def with_stages(
        self, sizes: Iterable[tuple[int, int]], num_inputs: Iterable[int]
    ) -> TrainedOn:
        """The same, trained at these sizes one after another, with these input views.

        Args:
            sizes: (height, width) in pixels of each stage.
            num_inputs: Every number of input views of any stage.
        """
        counts = sorted(num_inputs)
        return dataclasses.replace(
            self,
            sizes=tuple(size for size, _ in itertools.groupby(sizes)),
            num_inputs=(counts[0], counts[-1]),
        )

    @staticmethod
    def union(records: Sequence[TrainedOn]) -> TrainedOn:
        """The record of weights that saw what each of some records says.

        Ranges are as wide as all together. What one of them does not know, or what two
        of them have different, is unknown.
        """

        def joined(key: str) -> Any:
            values = [getattr(record, key) for record in records]
            if None in values:
                return None
            if key in RANGES:
                return min(low for low, _ in values), max(high for _, high in values)
            return values[0] if len(set(values)) == 1 else None

        return TrainedOn(**{key: joined(key) for key in _KEYS})

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary of every field."""
        return {key: _plain(getattr(self, key)) for key in _KEYS}

    @staticmethod
    def from_json(values: Any, where: object) -> TrainedOn:
        """The record that a dictionary describes; keys that it lacks are unknown.

        Args:
            values: The dictionary.
            where: The file that it is from, for messages.

        Raises:
            CheckpointError: If it is none, a key is unknown or a value cannot be.
        """
        if not isinstance(values, Mapping):
            raise CheckpointError(
                f"{where}: trained_on is {values!r}", remedy="It must be an object."
            )
        try:
            fields = typed(TrainedOn, values, what="key", prefix="trained_on.")
            return TrainedOn(**fields)
        except ConfigError as error:
            raise CheckpointError(
                f"{where}: {error.problem}",
                remedy=f"{error.remedy} A later lact-nvs may take it.",
            ) from error

    def __str__(self) -> str:
        """What is known, on one line for people."""
        parts: list[str] = []
        if self.poses:
            parts.append(f"{self.poses} poses")
        if self.sizes:
            parts.append(", ".join(f"{height}×{width}" for height, width in self.sizes))
        for before, span, after in (
            ("", self.num_inputs, " input views"),
            ("distance ", self.distance, ""),
            ("elevation ", self.elevation_degrees, "°"),
            ("field of view ", self.hfov_degrees, "°"),
        ):
            if span is not None:
                ends = dict.fromkeys(f"{end:g}" for end in span)
                parts.append(f"{before}{' to '.join(ends)}{after}")
        if self.background:
            parts.append(f"{self.background} background")
        return "; ".join(parts) or "unknown"


def default_size(size: tuple[int, int] | None) -> tuple[int, int] | int | None:
    """What `load_views` takes for weights trained at a (height, width) in pixels.

    Square images are cropped alike; others keep the capture's own aspect ratio, as
    long as the longer side.
    """
    if size is None or size[0] == size[1]:
        return size
    return max(size)


OLDER_SOURCES: Mapping[str, TrainedOn] = {
    "synthetic:object": TrainedOn(
        poses="object",
        distance=(2.0, 3.4),
        elevation_degrees=(-20.0, 80.0),
        hfov_degrees=(35.0, 60.0),
        background="white",
    ),
    "synthetic:room": TrainedOn(
        poses="scene", hfov_degrees=(50.0, 85.0), background="any"
    ),
}
"""Synthetic scenes as they were for all those exports, whatever they are today."""
_KEYS = tuple(field.name for field in dataclasses.fields(TrainedOn))


def of_older_export(about: Mapping[str, Any], where: object) -> TrainedOn:
    """The record of an export that has none, from the configuration of its run.

    Exports carried that before they had records. Their own word on their poses counts
    for posed sets only: for rooms it was wrong.

    Args:
        about: What the file says about its weights.
        where: The file, for messages.

    Raises:
        CheckpointError: If the configuration is not one.
    """
    try:
        training = about["training"]
        sizes = [(stage["height"], stage["width"]) for stage in training["stages"]]
        num_inputs = [
            count for stage in training["stages"] for count in stage["inputs"]
        ]
        sources = [part.rpartition("=")[0] for part in training["data"].split(",")]
        posed_set = TrainedOn(poses=about.get("poses"))
        seen = [OLDER_SOURCES.get(source.strip(), posed_set) for source in sources]
        record = TrainedOn.union(seen).with_stages(sizes, num_inputs)
        return TrainedOn.from_json(record.to_json(), where)
    except (LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{where}: about.training is not the configuration of a run ({error})",
            remedy="Export the weights again.",
        ) from error


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, tuple) else value
