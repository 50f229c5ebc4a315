"""Batches of synthetic scenes, ready for a training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.camera import Camera
from nvs.cameras.normalisation import PoseNormalisation
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.objects import draw_objects
from nvs.train.synthetic.photographs import Photographs
from nvs.train.synthetic.render import SceneBatch, render, render_depth
from nvs.train.synthetic.rigs import capture, orbit
from nvs.train.synthetic.rooms import draw_rooms
from nvs.train.tensors import Tensors

KINDS = ("object", "room")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SyntheticBatch:
    """Pictures of synthetic scenes and the cameras that took them, on one device."""

    image: Float[Tensor, "batch view 3 height width"]
    """RGB in [0, 1]."""
    world_from_camera: Float[Tensor, "batch view 4 4"]
    """Poses in the frame the model expects."""
    intrinsics: Float[Tensor, "batch view 4"]
    """fx, fy, cx, cy in pixels; the same for all views of a scene."""
    depth: Float[Tensor, "batch view height width"] | None
    """Depth along z at the centre of each pixel, in units of the poses; infinite where
    the background is seen. None where it was not asked for."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DrawnBatch(Tensors):
    """Scenes and cameras, drawn on the CPU and not yet rendered."""

    scenes: SceneBatch
    """What there is to see."""
    world_from_camera: Float[Tensor, "batch view 4 4"]
    """Poses in the frame of the scenes."""
    intrinsics: Float[Tensor, "batch view 4"]
    """fx, fy, cx, cy in pixels."""
    height: int
    """Picture height in pixels."""
    width: int
    """Picture width in pixels."""
    framed_from_camera: Float[Tensor, "batch view 4 4"]
    """Poses in the frame the model expects."""
    framed_from_world: Float[Tensor, "batch"]
    """Scale of that frame."""

    def render(
        self,
        device: torch.device | str,
        *,
        supersample: int = 2,
        photographs: Photographs | None = None,
        with_depth: bool = False,
    ) -> SyntheticBatch:
        """Take the pictures.

        Args:
            device: Where to trace the rays and leave the result.
            supersample: Samples along one side of a pixel.
            photographs: From `load_photographs`, for scenes drawn to wear them.
            with_depth: Also trace the depth, for about a quarter more work.
        """
        here = self.to(device)
        scenes, worn = here.scenes, None
        if photographs is not None:
            worn = photographs.at_most(self.width * supersample // 2).to(device)
            scenes = replace(scenes, textures=photographs.assigned(scenes.textures))
        cameras = (scenes, here.world_from_camera, here.intrinsics)
        size = {"height": self.height, "width": self.width}
        image = render(*cameras, **size, supersample=supersample, photographs=worn)
        depth = None
        if with_depth:
            depth = render_depth(*cameras, **size)
            depth = depth * here.framed_from_world[:, None, None, None]
        return SyntheticBatch(
            image=image,
            world_from_camera=here.framed_from_camera,
            intrinsics=here.intrinsics,
            depth=depth,
        )


def draw_scenes(
    kind: str,
    *,
    batch: int,
    views: int,
    height: int,
    width: int,
    seed: int,
    photographs: bool = False,
    framing_views: int | None = None,
) -> DrawnBatch:
    """Scenes of a kind, and cameras that see them.

    `object`: objects in the cube [−1, 1]³, z up, before white, seen from around.
    `room`: rooms and yards seen by a hand-held camera, which walks about, goes around a
    thing, or passes before a wall; poses and depth are in the frame of scene models,
    mean camera at the origin, camera centres within [−1, 1]³.

    Scene `index` depends on (kind, seed, index) alone: not on the batch size, the
    number of views, the picture size or, but for rounding, the device. More views
    extend fewer. Only the frame of a room depends on the views that define it.

    Args:
        kind: One of `KINDS`.
        batch: Number of scenes.
        views: Views of each; any of them will do as inputs or targets.
        height: Picture height in pixels.
        width: Picture width in pixels.
        seed: Seed of the batch; use another for each training step.
        photographs: Whether some surfaces wear photographs.
        framing_views: How many of the first views define the frame of a room: the
            inputs, where targets must not leak into it. All of them if absent.
    """
    stream = 2 * KINDS.index(kind)
    draws = Draws(seed, batch, stream=stream, photographs=photographs)
    rig = Draws(seed, batch, stream=stream + 1)
    if kind == "object":
        scenes = draw_objects(draws)
        poses, intrinsics = orbit(rig, views, height=height, width=width)
        framed, scale = poses, torch.ones(batch)
    else:
        scenes, places = draw_rooms(draws)
        poses, intrinsics = capture(rig, views, places, height=height, width=width)
        defining = range(views if framing_views is None else framing_views)
        cameras = [
            Camera(world_from_camera=pose, intrinsics=lens, height=height, width=width)
            for pose, lens in zip(poses, intrinsics, strict=True)
        ]
        framed, scale = _framed(cameras, defining)
    return DrawnBatch(
        scenes=scenes,
        world_from_camera=poses.float(),
        intrinsics=intrinsics.float(),
        height=height,
        width=width,
        framed_from_camera=framed.float(),
        framed_from_world=scale,
    )


def _framed(
    cameras: Sequence[Camera], defining: Sequence[int]
) -> tuple[Float[Tensor, "batch view 4 4"], Float[Tensor, "batch"]]:
    """Poses in the frame of the mean of some views, and its scale, for each scene."""
    frames = [PoseNormalisation.from_mean_camera(one, defining) for one in cameras]
    framed = [
        frame.apply(one).world_from_camera
        for frame, one in zip(frames, cameras, strict=True)
    ]
    return torch.stack(framed), torch.tensor([frame.scale for frame in frames])
