"""What exports tell that were made before weights recorded what they were trained on.

They carry the configuration of their run: `about["training"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nvs.errors import CheckpointError
from nvs.model.trained_on import TrainedOn

SYNTHETIC: Mapping[str, TrainedOn] = {
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


def trained_on(about: Mapping[str, Any], where: object) -> TrainedOn:
    """The record of an export that has none, from the configuration of its run.

    Its own word on its poses counts for posed sets only: for rooms it was wrong.

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
        seen = [SYNTHETIC.get(source.strip(), posed_set) for source in sources]
        record = TrainedOn.union(seen).with_stages(sizes, num_inputs)
        return TrainedOn.from_json(record.to_json(), where)
    except (LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{where}: about.training is not the configuration of a run ({error})",
            remedy="Export the weights again.",
        ) from error
