"""The GSO protocol: objects of Google Scanned Objects on a rig of 64 cameras.

Inputs and the 8 targets are fixed views of the rig (`nvs_eval.rig_views`). Images are
resized, then composited on white; poses are used as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import ConfigError, DatasetError
from nvs.scene.datasets import read_dataset
from nvs.scene.frames import Frame
from nvs_data.rigs import HFOV_DEGREES, gso_rig
from nvs_eval import rig_views
from nvs_eval.index_files import index_hash
from nvs_eval.protocol import SceneFolder, Split

VIEW_COUNTS = rig_views.VIEW_COUNTS
SIZES = ((256, 256), (512, 512))
TOLERANCE = 0.01
"""How far a camera may be off the rig, in world units or image sizes."""


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
        targets, targets_hash = rig_views.read_targets()
        chosen = {count: rig_views.read_inputs(count) for count in view_counts}
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
