"""Scene parameters to antialiased pictures and exact depth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nvs.train.synthetic.shading import Light, shade, sky
from nvs.train.synthetic.solids import Solids
from nvs.train.synthetic.textures import Textures
from nvs.train.synthetic.trace import Views, trace
from nvs.train.tensors import Tensors

SAMPLES_AT_ONCE = {"cpu": 1 << 19, "cuda": 1 << 24}
"""Samples traced together: what stays in a CPU's cache, and in a GPU's memory."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SceneBatch(Tensors):
    """Everything that is drawn of a batch of scenes."""

    solids: Solids
    textures: Textures
    light: Light


def render(
    scenes: SceneBatch,
    world_from_camera: Float[Tensor, "scene view 4 4"],
    intrinsics: Float[Tensor, "scene view 4"],
    *,
    height: int,
    width: int,
    supersample: int,
    photographs: UInt8[Tensor, "photo side side 4"] | None = None,
) -> Float[Tensor, "scene view 3 height width"]:
    """Pictures in [0, 1]: the mean of supersample² samples a pixel."""
    frame = _views(world_from_camera, intrinsics, height, width, supersample)
    pictures = []
    for views in _chunks(frame):
        hits = trace(views, scenes.solids)
        color = shade(
            views, hits, scenes.solids, scenes.textures, scenes.light, photographs
        )
        picture = sky(views, scenes.light)
        picture.index_copy_(1, hits.sample, color)
        picture = picture.view(3, -1, views.rows, views.columns).transpose(0, 1)
        pictures.append(_box_filter(picture, supersample))
    return torch.cat(pictures).unflatten(0, world_from_camera.shape[:2])


def render_depth(
    scenes: SceneBatch,
    world_from_camera: Float[Tensor, "scene view 4 4"],
    intrinsics: Float[Tensor, "scene view 4"],
    *,
    height: int,
    width: int,
) -> Float[Tensor, "scene view height width"]:
    """Depth along z at pixel centres in world units; infinite where nothing is hit."""
    frame = _views(world_from_camera, intrinsics, height, width, 1)
    depths = []
    for views in _chunks(frame):
        hits = trace(views, scenes.solids)
        depth = hits.depth.new_full((len(views.scene) * height * width,), torch.inf)
        depth[hits.sample] = hits.depth
        depths.append(depth.view(-1, height, width))
    return torch.cat(depths).unflatten(0, world_from_camera.shape[:2])


def _box_filter(
    samples: Float[Tensor, "view 3 rows columns"], supersample: int
) -> Float[Tensor, "view 3 height width"]:
    """Mean of each supersample² block, added slice by slice: fast on CPUs too."""
    total = torch.zeros_like(samples[..., ::supersample, ::supersample])
    for row in range(supersample):
        for column in range(supersample):
            total = total + samples[..., row::supersample, column::supersample]
    return total / supersample**2


def _views(
    world_from_camera: Tensor,
    intrinsics: Tensor,
    height: int,
    width: int,
    supersample: int,
) -> Views:
    num_scenes, num_views = world_from_camera.shape[:2]
    scene = torch.arange(num_scenes, device=world_from_camera.device)
    return Views(
        world_from_camera=world_from_camera.flatten(0, 1),
        intrinsics=intrinsics.flatten(0, 1),
        scene=scene.repeat_interleave(num_views),
        rows=height * supersample,
        columns=width * supersample,
        samples_per_pixel=supersample,
    )


def _chunks(views: Views) -> list[Views]:
    limit = SAMPLES_AT_ONCE.get(views.scene.device.type, SAMPLES_AT_ONCE["cpu"])
    size = max(1, limit // (views.rows * views.columns))
    return [
        views.map(lambda tensor, start=start: tensor[start : start + size])
        for start in range(0, len(views.scene), size)
    ]
