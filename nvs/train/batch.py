"""What a step is trained on, what is ordered from a source, and the seeds of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.model import LaCTNetwork
from nvs.model.density_grid import surfaces
from nvs.model.density_net import Sights, small
from nvs.model.ray_point import scene_pivot
from nvs.model.reprojection import Sources, distances, in_bytes, reproject
from nvs.model.tokens import posed_rays
from nvs.model.trained_on import Poses
from nvs.model.visual_hull import carve, hull_of
from nvs.train.tensors import Tensors, combine

NUM_TRAINING_SEEDS = 2**30
"""Scenes to train on have seeds below this; held-out ones have seeds from it on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a source is asked for: scenes of one size and one number of views."""

    seed: int
    """Decides everything that is random."""
    num_scenes: int
    """How many scenes."""
    num_inputs: int
    """Input views of each."""
    num_targets: int
    """Target views of each, not among its inputs."""
    height: int
    """Image height in pixels."""
    width: int
    """Image width in pixels."""
    field_of_view: float = 1.0
    """Share of a photograph's side to keep."""
    baseline: float = 1.0
    """Share of a set's views to draw from."""
    num_repeated: int = 0
    """Input views that are targets too."""
    with_depth: bool = False
    """Whether the depth of every pixel is wanted."""

    @property
    def num_views(self) -> int:
        """Views of each scene, inputs and targets."""
        return self.num_inputs + self.num_targets


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch(Tensors):
    """Scenes in the model's frame; their input views come first."""

    image: Float[Tensor, "batch view 3 height width"]
    """Colours in [0, 1]."""
    world_from_camera: Float[Tensor, "batch view 4 4"]
    """Camera poses."""
    intrinsics: Float[Tensor, "batch view 4"]
    """fx, fy, cx, cy in pixels."""
    num_inputs: int
    """How many of the views are inputs."""
    pivot: Float[Tensor, "batch 3"] | None = None
    """`ray_point.scene_pivot` of the inputs; None for object poses: the origin."""
    surface: Float[Tensor, "batch view 2 down across"] | None = None
    """`density_grid.surfaces` of all views, for networks that find them."""
    reprojected: Float[Tensor, "batch target 6 height width"] | None = None
    """`reprojection.reproject` of the targets, for networks that want it."""
    depth: Float[Tensor, "batch view height width"] | None = None
    """Along z, in units of the poses, infinite where nothing is seen; if ordered."""

    def with_scene_pivot(self) -> Batch:
        """The batch as one of scene poses."""
        pivots = [scene_pivot(camera) for camera in self._input_cameras()]
        return replace(self, pivot=torch.stack(pivots))

    def with_surfaces(self, network: LaCTNetwork) -> Batch:
        """The batch with what a network that has densities finds by the inputs."""
        net, config = network.density_net, network.config
        assert net is not None, "it has densities"
        density = torch.stack([net.density(sights) for sights in self.sights()])
        if not density.flatten(1).any(dim=1).all():
            return self  # of a scene without, nothing would be shown
        camera, patch = self.camera(), config.patch_size
        posed = posed_rays(camera, len(self.image))
        surface = surfaces(density, posed, self.poses, patch)
        if not config.reprojection:
            return replace(self, surface=surface)
        found = [self._reprojected(scene, surface) for scene in range(len(self.image))]
        return replace(self, surface=surface, reprojected=torch.stack(found))

    def _reprojected(
        self, scene: int, surface: Float[Tensor, "batch view 2 down across"]
    ) -> Float[Tensor, "target 6 height width"]:
        """What the inputs of a scene show of its targets."""
        views, split = self.image.shape[1], self.num_inputs
        camera = self.camera()[range(scene * views, (scene + 1) * views)]
        inputs = Sources(
            image=in_bytes(self.image[scene, :split]),
            camera=camera[range(split)],
            distance=distances(surface[scene, :split]),
            poses=self.poses,
        )
        return reproject(inputs, camera[range(split, views)], surface[scene, split:])

    @property
    def poses(self) -> Poses:
        """What kind they are."""
        return "object" if self.pivot is None else "scene"

    def sights(self) -> list[Sights]:
        """What a `DensityNet` sees of the inputs of each scene."""
        made: list[Sights] = []
        for image, camera in zip(self.image, self._input_cameras(), strict=True):
            hull = None
            if self.poses == "object":
                left, background = carve(image[: self.num_inputs], camera)
                hull = hull_of([left], background)
            shrunk, its_camera = small(image[: self.num_inputs], camera)
            made.append(Sights(image=shrunk, camera=its_camera, hull=hull))
        return made

    def camera(self) -> Camera:
        """Cameras of all scenes, one after another."""
        height, width = self.image.shape[-2:]
        return Camera(
            world_from_camera=self.world_from_camera.flatten(0, 1),
            intrinsics=self.intrinsics.flatten(0, 1),
            height=height,
            width=width,
        )

    def _of(self, views: list[int]) -> Batch:
        return replace(
            self,
            image=self.image[:, views],
            world_from_camera=self.world_from_camera[:, views],
            intrinsics=self.intrinsics[:, views],
            depth=None if self.depth is None else self.depth[:, views],
            surface=None if self.surface is None else self.surface[:, views],
        )

    def _input_cameras(self) -> list[Camera]:
        """Those of each scene."""
        every, views = self.camera(), self.world_from_camera.shape[1]
        return [
            every[range(first, first + self.num_inputs)]
            for first in range(0, len(every), views)
        ]

    def network_inputs(self) -> tuple[Tensor | None, ...]:
        """What a network renders the targets from, in the order of its arguments.

        Rays and images of the inputs, rays of the targets, the pivot, the surfaces and
        what is reprojected.
        """
        posed, split = posed_rays(self.camera(), len(self.image)), self.num_inputs
        views = posed[:, :split], self.image[:, :split], posed[:, split:]
        return *views, self.pivot, self.surface, self.reprojected

    @property
    def truth(self) -> Float[Tensor, "batch target 3 height width"]:
        """Images of the target views."""
        return self.image[:, self.num_inputs :]

    def repeating(self, count: int) -> Batch:
        """The batch with its first `count` input views once more, as targets."""
        assert self.reprojected is None, "targets are known before that is found"
        return self._of([*range(self.image.shape[1]), *range(count)])

    def of_views(self, inputs: range, targets: range) -> Batch:
        """The batch with some of its input views and some of its targets."""
        views = [*inputs, *(self.num_inputs + target for target in targets)]
        known = self.reprojected
        return replace(
            self._of(views),
            num_inputs=len(inputs),
            reprojected=None if known is None else known[:, list(targets)],
        )

    def split(self, num_scenes: int) -> list[Batch]:
        """Batches of that many scenes each, the last maybe of fewer."""
        return [
            self.map(lambda tensor, start=start: tensor[start : start + num_scenes])
            for start in range(0, len(self.image), num_scenes)
        ]

    def pinned(self) -> Batch:
        """The batch in memory that copies to a CUDA device without waiting."""
        return self.map(Tensor.pin_memory)

    @staticmethod
    def cat(batches: Sequence[Batch]) -> Batch:
        """All scenes of batches with the same views, size and kind of poses."""
        assert len({b.pivot is None for b in batches}) == 1, "one kind of poses"
        return combine(lambda *tensors: torch.cat(tensors), *batches)


def training_seed(*parts: int | str) -> int:
    """A seed below `NUM_TRAINING_SEEDS` that depends on all parts."""
    text = "/".join(str(part) for part in parts)
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8]) % NUM_TRAINING_SEEDS


def heldout_seed(index: int) -> int:
    """The seed of a held-out scene, never one of `training_seed`."""
    return NUM_TRAINING_SEEDS + index
