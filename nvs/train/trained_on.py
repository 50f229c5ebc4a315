"""What the weights of a run will have been trained on."""

from __future__ import annotations

from nvs.errors import ConfigError
from nvs.model.trained_on import Poses, TrainedOn
from nvs.train.config import TrainConfig
from nvs.train.mixture import Mixture
from nvs.train.sets import SetSource
from nvs.train.sources import Source, SyntheticSource
from nvs.train.synthetic import rigs

OBJECTS = TrainedOn(
    poses="object",
    distance=rigs.RADIUS_RANGE,
    elevation_degrees=rigs.ELEVATION_RANGE_DEGREES,
    hfov_degrees=rigs.ORBIT_HFOV_RANGE_DEGREES,
    background="white",
)
ROOMS = TrainedOn(
    poses="scene", hfov_degrees=rigs.HAND_HFOV_RANGE_DEGREES, background="any"
)


def trained_on(config: TrainConfig, mixture: Mixture) -> TrainedOn:
    """The record for the weights of a run, from its stages and its sources.

    Raises:
        ConfigError: If some sources have object poses and others scene poses.
    """
    seen = [_seen(source) for source in mixture.sources]
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
    return TrainedOn.union(seen).with_stages(
        [(stage.height, stage.width) for stage in config.stages],
        [count for stage in config.stages for count in stage.inputs],
    )


def _seen(source: Source) -> TrainedOn:
    """What a source shows; of posed sets only what their framing makes of poses."""
    match source:
        case SyntheticSource(kind="object"):
            return OBJECTS
        case SyntheticSource(kind="room"):
            return ROOMS
        case SetSource(framing="mean_camera"):
            return TrainedOn(poses="scene")
        case SetSource():
            return TrainedOn(poses="object")
        case _:
            return TrainedOn()
