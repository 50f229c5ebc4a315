"""Posed sets as data: folders of photographs with cameras."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.normalisation import Kind, PoseNormalisation
from nvs.errors import DatasetError
from nvs.model.trained_on import TrainedOn
from nvs.scene.datasets import is_dataset, load_views, read_dataset
from nvs.train.batch import Batch, Order

NUM_CACHED = 4096
"""Sets whose camera positions a process remembers."""


class SetSource:
    """Random views of posed sets, close together or far apart as the order says.

    Raises:
        DatasetError: If there are no sets at the path.
    """

    def __init__(self, path: Path, *, framing: Kind) -> None:
        self.name = str(path)
        self.folders = list_sets(path)
        self.framing: Kind = framing
        self.shows = TrainedOn(poses="scene" if framing == "mean_camera" else "object")

    def check(self, num_inputs: int, num_targets: int) -> None:
        """Refuse sets that have fewer views than that.

        Raises:
            DatasetError: Naming the first of them.
        """
        needed = num_inputs + num_targets
        for folder in self.folders:
            found = len(_centers(folder))
            if found < needed:
                raise DatasetError(
                    f"{folder} has {found} views; {needed} are needed "
                    f"({num_inputs} inputs, {num_targets} targets)",
                    remedy="Remove the set or ask for fewer views in the stages.",
                )

    def prepare(self, order: Order) -> Batch:
        """Draw sets and views of them, and read the photographs."""
        draw = random.Random(f"sets {order.seed}")
        return Batch.cat([self._scene(order, draw) for _ in range(order.num_scenes)])

    def finish(self, prepared: Batch, order: Order, device: torch.device) -> Batch:
        """Copy them to the device."""
        return (prepared.pinned() if device.type == "cuda" else prepared).to(device)

    def _scene(self, order: Order, draw: random.Random) -> Batch:
        folder = draw.choice(self.folders)
        center = _centers(folder)
        views = draw_views(center, order.num_views, order.baseline, draw)
        return read_batch(
            folder,
            views,
            num_inputs=order.num_inputs,
            height=order.height,
            width=order.width,
            field_of_view=order.field_of_view,
            framing=self.framing,
        )


def list_sets(path: Path) -> list[Path]:
    """Folders of posed sets: a set itself, a folder of sets, or a text file of paths.

    Raises:
        DatasetError: If there is none.
    """
    if path.is_file() and path.suffix == ".txt":
        lines = path.read_text(encoding="utf-8").split("\n")
        folders = [path.parent / line.strip() for line in lines if line.strip()]
        for folder in folders:
            if not is_dataset(folder):
                raise DatasetError(
                    f"{path} lists {folder}, which is in no known dataset layout",
                    remedy="Correct the line; paths are relative to the list.",
                )
    elif is_dataset(path):
        folders = [path]
    elif path.is_dir():
        folders = sorted(folder for folder in path.iterdir() if is_dataset(folder))
    else:
        folders = []
    if not folders:
        raise DatasetError(
            f"{path} holds no posed sets",
            remedy="Give a folder in a layout that `nvs data` reads, a folder of such "
            "folders, or a .txt file that lists them.",
        )
    return folders


def draw_views(
    center: Float[Tensor, "view 3"],
    num_views: int,
    baseline: float,
    draw: random.Random,
) -> list[int]:
    """Random views among the share `baseline` of them nearest to a random one."""
    anchor = draw.randrange(len(center))
    distance = (center - center[anchor]).norm(dim=-1)
    num_near = max(num_views, math.ceil(baseline * len(center)))
    near = torch.argsort(distance, stable=True)[:num_near].tolist()
    return draw.sample(near, num_views)


def read_batch(
    folder: Path,
    views: Sequence[int],
    *,
    num_inputs: int,
    height: int,
    width: int,
    field_of_view: float = 1.0,
    framing: Kind,
) -> Batch:
    """One scene: views of a set, brought into the model's space by the input views.

    Args:
        folder: The set.
        views: Indices of its views, inputs first.
        num_inputs: How many of them are inputs; targets do not touch the framing.
        height: Image height in pixels.
        width: Image width in pixels.
        field_of_view: Share of the side of the image that a centre crop keeps.
        framing: How the cameras are normalised.

    Raises:
        DatasetError, CameraError, ImageError: Naming the file and the remedy.
    """
    full_height = _evenly_larger(height, height / field_of_view)
    full_width = _evenly_larger(width, width / field_of_view)
    posed = load_views(
        folder, size=(full_height, full_width), patch_size=1, views=views
    )
    top, left = (full_height - height) // 2, (full_width - width) // 2
    image = posed.image[..., top : top + height, left : left + width]
    camera = posed.camera.cropped(top, left, height, width)
    inputs = range(num_inputs)
    if framing == "mean_camera":
        camera = PoseNormalisation.from_mean_camera(camera, inputs).apply(camera)
    elif framing == "object":
        camera = PoseNormalisation.from_object(camera, inputs).apply(camera)
    batch = Batch(
        image=image[None].contiguous(),
        world_from_camera=camera.world_from_camera[None].float(),
        intrinsics=camera.intrinsics[None].float(),
        num_inputs=num_inputs,
    )
    return batch.with_scene_pivot() if framing == "mean_camera" else batch


@functools.lru_cache(maxsize=NUM_CACHED)
def _centers(folder: Path) -> Float[Tensor, "view 3"]:
    return torch.cat([frame.camera.center for frame in read_dataset(folder).frames])


def _evenly_larger(size_px: int, wanted_px: float) -> int:
    """A size near the wanted one from which a centred crop leaves `size_px`."""
    return size_px + 2 * round((wanted_px - size_px) / 2)
