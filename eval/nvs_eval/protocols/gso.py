"""The GSO protocol: objects of Google Scanned Objects on a rig of 64 cameras.

The rig has four rings of 16 azimuths at elevations 0, 20, 40 and 60°; view 16·r + a is
azimuth a·22.5° of ring r. Inputs and the 8 targets are fixed views of it: `input_order`
is the rule, `indices/gso` is what is used. Images are resized, then composited on
white; poses are used as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import ConfigError, DatasetError
from nvs.scene.datasets import read_dataset
from nvs.scene.frames import Frame
from nvs_data.rigs import GSO_AZIMUTHS, HFOV_DEGREES, gso_rig
from nvs_eval.protocols.base import (
    SceneFolder,
    Split,
    index_hash,
    read_index,
    write_index,
)

FOLDER = Path(__file__).parents[1] / "indices" / "gso"
VIEW_COUNTS = (4, 8, 12, 16, 20, 24, 32, 48)
TARGETS = (1, 9, 21, 29, 35, 43, 55, 63)
"""Two opposite views a ring; every odd azimuth once."""
MIDDLE_RING = 1
"""The ring at 20°, from which the first inputs are taken."""

SIZES = ((256, 256), (512, 512))
TOLERANCE = 0.01
"""How far a camera may be off the rig, in world units or image sizes."""


def input_order() -> list[int]:
    """All possible inputs, so that the first n are the input set of n views.

    First the ring at 20° at 0, 90, 180 and 270°, then between those, then always the
    view whose direction is farthest from all that are chosen (ties to the lower index).
    Targets are never inputs.
    """
    first = MIDDLE_RING * GSO_AZIMUTHS
    chosen = [first + a for a in (*range(0, 16, 4), *range(2, 16, 4))]
    direction = gso_rig().forward.double()
    nearest = (direction @ direction[chosen].T).amax(1)
    nearest[list(TARGETS)] = float("inf")
    while len(chosen) < max(VIEW_COUNTS):
        nearest[chosen] = float("inf")
        farthest = int((nearest * 1e9).round().argmin())
        chosen.append(farthest)
        nearest = nearest.maximum(direction @ direction[farthest])
    return chosen


def write_indices(folder: Path = FOLDER) -> None:
    """Write the index files of this rule."""
    order = input_order()
    write_index(folder / "targets.json", {"protocol": "gso", "targets": list(TARGETS)})
    for count in VIEW_COUNTS:
        content = {"protocol": "gso", "num_views": count, "inputs": order[:count]}
        write_index(folder / f"inputs_{count:02d}.json", content)


def read_targets() -> tuple[list[int], str]:
    """Target views, and the hash of their index file."""
    content = read_index(FOLDER / "targets.json")
    return content["targets"], content["sha256"]


def read_inputs(count: int) -> tuple[list[int], str]:
    """The input set of a view count, and the hash of its index file."""
    content = read_index(FOLDER / f"inputs_{count:02d}.json")
    return content["inputs"], content["sha256"]


class GsoProtocol:
    """Fixed views of the rig, no pose normalisation."""

    name = "gso"
    normalise = "none"

    def __init__(self, view_counts: Sequence[int]) -> None:
        for count in view_counts:
            if count not in VIEW_COUNTS:
                raise ConfigError(
                    f"the GSO protocol has no input set of {count} views",
                    remedy=f"Choose from {', '.join(map(str, VIEW_COUNTS))}.",
                )

    def split(self, scene: SceneFolder, view_counts: Sequence[int]) -> Split:
        """Inputs and targets by their place on the rig.

        Raises:
            DatasetError: If the set has not the 64 cameras of the rig, in its order.
        """
        frames = read_dataset(scene.path).frames
        _check_rig(scene, frames)
        targets, targets_hash = read_targets()
        chosen = {count: read_inputs(count) for count in view_counts}
        return Split(
            names=tuple(frame.name for frame in frames),
            targets=tuple(targets),
            inputs={count: tuple(inputs) for count, (inputs, _) in chosen.items()},
            hashes={
                count: index_hash({"targets": targets_hash, "inputs": inputs_hash})
                for count, (_, inputs_hash) in chosen.items()
            },
        )

    def normalisation(self, inputs: Camera, targets: Camera) -> PoseNormalisation:
        """Objects stay where they are."""
        return PoseNormalisation.none()


def _check_rig(scene: SceneFolder, frames: Sequence[Frame]) -> None:
    rig = gso_rig()
    if len(frames) != len(rig):
        raise DatasetError(
            f"{scene.path} has {len(frames)} views",
            remedy=f"The GSO protocol needs the {len(rig)} views of its rig.",
        )
    for index, (frame, view) in enumerate(zip(frames, rig, strict=True)):
        pose = frame.camera.world_from_camera.float()
        off = float((pose - view.world_from_camera).abs().max())
        if not off <= TOLERANCE:
            raise DatasetError(
                f"{scene.path}: {frame.name} is {off:.3g} off view {index} of the "
                "GSO rig",
                remedy="Render the object on the rig, rings from low to high, "
                "each starting on the x axis: nvs data render --rig gso.",
            )
        off = float((_lens(frame.camera) - _lens(view)).abs().max())
        if not off <= TOLERANCE:
            raise DatasetError(
                f"{scene.path}: the intrinsics of {frame.name} are not those of the "
                f"GSO rig (fx, fy, cx, cy = {frame.camera.intrinsics[0].tolist()} at "
                f"{frame.camera.height}×{frame.camera.width})",
                remedy=f"Render square images {HFOV_DEGREES:g}° wide: nvs data render "
                "--rig gso.",
            )


def _lens(camera: Camera) -> Float[Tensor, "1 4"]:
    """Intrinsics of an image that is one unit wide and high."""
    sides = torch.tensor([camera.width, camera.height] * 2)
    return camera.intrinsics.float() / sides
