"""The DL3DV-140 protocol: real captures, one target every 8 frames.

Inputs come from k-means over the other frames' centres and forward axes (scikit-learn,
seed 0, the frame nearest to each centre). The result depends on scikit-learn's version,
so it is written to an index file once per scene and read from there ever after.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import ConfigError, DatasetError
from nvs.scene.datasets import read_dataset
from nvs.scene.frames import Frame
from nvs_data.selection import cameras_of, k_means
from nvs_eval.protocols.base import (
    SceneFolder,
    Split,
    index_hash,
    read_index,
    write_index,
)

VIEW_COUNTS = (16, 32, 64, 128)
SIZES = ((536, 960),)
TARGET_STRIDE = 8
SEED = 0
NORMALISE = {
    "inputs": "inputs",
    "inputs+targets": "inputs and targets, as published",
}
"""Which cameras define the framing. With the targets among them, they leak a little."""


class Dl3dvProtocol:
    """Every 8th frame is a target; inputs by k-means over the others.

    Args:
        indices: Folder of the index files; the user's data folder if absent.
        normalise: A key of `NORMALISE`.

    Raises:
        ConfigError: If `normalise` is unknown.
    """

    name = "dl3dv"

    def __init__(
        self, *, indices: Path | None = None, normalise: str = "inputs"
    ) -> None:
        if normalise not in NORMALISE:
            raise ConfigError(
                f"poses cannot be normalised by {normalise!r}",
                remedy=f"Use {' or '.join(NORMALISE)}.",
            )
        self.with_targets = normalise == "inputs+targets"
        self.normalise = NORMALISE[normalise]
        self.folder = indices or user_data_path("lact-nvs") / "eval" / "dl3dv"

    def split(self, scene: SceneFolder, view_counts: Sequence[int]) -> Split:
        """Inputs and targets from the scene's index file, which is made if needed.

        Raises:
            DatasetError: If the index file belongs to other cameras or was changed.
        """
        frames = read_dataset(scene.path).frames
        order = sorted(range(len(frames)), key=lambda index: frames[index].name)
        ordered = [frames[index] for index in order]
        content = self.index(scene, ordered, view_counts)
        place = {frames[index].name: index for index in order}
        digest: str = content["sha256"]
        possible = [c for c in view_counts if str(c) in content["inputs"]]
        return Split(
            names=tuple(frame.name for frame in frames),
            targets=tuple(place[name] for name in content["targets"]),
            inputs={
                count: tuple(place[name] for name in content["inputs"][str(count)])
                for count in possible
            },
            hashes=dict.fromkeys(possible, digest),
            impossible={
                count: f"only {len(frames) - len(content['targets'])} frames are no "
                "targets"
                for count in view_counts
                if count not in possible
            },
        )

    def index(
        self, scene: SceneFolder, frames: Sequence[Frame], view_counts: Sequence[int]
    ) -> dict[str, Any]:
        """The scene's index file; standard and asked view counts are chosen at once.

        Raises:
            DatasetError: If it belongs to other cameras, was changed, or has not a
                view count that is asked for.
        """
        path = self.folder / f"{scene.name}.json"
        if not path.exists():
            write_index(path, choose_views(scene.name, frames, view_counts))
        content = read_index(path)
        if content["cameras_sha256"] != cameras_hash(frames):
            raise DatasetError(
                f"{path} was made for other frames or cameras than {scene.path} has",
                remedy="Restore the scene, or delete the index file.",
            )
        candidates = len(frames) - len(content["targets"])
        for count in view_counts:
            if count <= candidates and str(count) not in content["inputs"]:
                raise DatasetError(
                    f"{path} has no input set of {count} views",
                    remedy="Choose from "
                    f"{', '.join(content['inputs'])}, or name another --indices "
                    "folder for a new index file.",
                )
        return content

    def normalisation(self, inputs: Camera, targets: Camera) -> PoseNormalisation:
        """The mean camera of the inputs, or of inputs and targets."""
        if not self.with_targets:
            return PoseNormalisation.from_mean_camera(inputs)
        return PoseNormalisation.from_mean_camera(Camera.cat([inputs, targets]))


def choose_views(
    name: str, frames: Sequence[Frame], view_counts: Sequence[int]
) -> dict[str, Any]:
    """Content of an index file, without its hash.

    Raises:
        CameraError: If a camera is unusable.
        MissingExtraError: If scikit-learn is not installed.
    """
    targets = list(range(0, len(frames), TARGET_STRIDE))
    candidates = [index for index in range(len(frames)) if index not in set(targets)]
    camera = cameras_of(frames)[candidates]
    inputs: dict[str, list[str]] = {}
    for count in sorted({*VIEW_COUNTS, *view_counts}):
        if count <= len(candidates):
            chosen = k_means(camera, count, seed=SEED)
            inputs[str(count)] = [frames[candidates[view]].name for view in chosen]
    return {
        "protocol": "dl3dv",
        "scene": name,
        "num_frames": len(frames),
        "cameras_sha256": cameras_hash(frames),
        "targets": [frames[index].name for index in targets],
        "inputs": inputs,
        "seed": SEED,
        "scikit_learn": version("scikit-learn"),
    }


def cameras_hash(frames: Sequence[Frame]) -> str:
    """Hash of the frames' names and poses, to six digits."""
    poses = {
        frame.name: [
            f"{value:.6g}" for value in frame.camera.world_from_camera[0, :3].flatten()
        ]
        for frame in frames
    }
    return index_hash(poses)
