"""Colours that input views show of what a camera sees, by the densities.

A ray ends at a surface (`nvs.model.density_grid`); the input views that see that point,
and from much the same side, show its colour: image-based rendering, with weights after
the unstructured lumigraph (Buehler et al. 2001). What no view shows, what surfaces that
are wrong mix up, and what looks different from elsewhere is left to the network, which
is given these colours and says how far they hold.

Features of a pixel, in this order:
    its colour (3), in [0, 1]
    how well the view that sees it best does, 1 down to 0
    standard deviation of the colours of the views, times 2
    1 where a view sees it from the very same side, ½ at 11°, 0 from opposite ones

Notation:
    x       the point where a ray ends
    cᵢ, tᵢ  centre of an input view, and where its ray through x ends
    vᵢ      how well it sees x:  vᵢ = exp(−(|x − cᵢ|/tᵢ − 1 − SLACK)₊ / FALL)
    αᵢ      the angle at x between that ray and the pixel's
    wᵢ      vᵢ / (1 − cos αᵢ)²
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from nvs.cameras import Camera, rays
from nvs.cameras.rays import project
from nvs.model.density_grid import SCENE_FAR
from nvs.model.trained_on import Poses

NUM_REPROJECTED = 6
"""Features of a pixel."""
SPREAD = 4
"""Which of them is the standard deviation."""
NUM_NEAR = 8
"""Input views that are looked at for a camera, so that a frame of many costs no more
than one of few."""
NUM_PROBES = 16
"""Along each side of an image: points that choose them."""
SLACK, FALL = 0.05, 0.03
"""How much farther than where its ray ends a view still sees, and how that fades."""
FAINT = 1e-3
"""What v is at least where a view has x in its picture, and tiny where it has not: of
views that are all hidden, the nearest."""
LEAST_ANGLE = 1e-4
"""Added to 1 − cos α."""
CLOSE = 0.02
"""1 − cos α at which the last feature is ½."""
GATE_OFFSET = -0.5
"""Of a gate before anything is learned: 0.38 of what is reprojected, the rest
rendered."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sources:
    """Input views of a scene, whose colours are reprojected."""

    image: UInt8[Tensor, "view 3 height width"]
    """As `in_bytes` makes them."""
    camera: Camera
    """Theirs, in the model's frame."""
    distance: Float[Tensor, "view down across"]
    """As `distances` makes them."""
    poses: Poses
    """Whose they are. Behind an object is white."""

    def __getitem__(self, views: Int[Tensor, "some"]) -> Sources:
        return Sources(
            image=self.image[views],
            camera=self.camera[views.tolist()],
            distance=self.distance[views],
            poses=self.poses,
        )


def in_bytes(
    image: Float[Tensor, "view 3 height width"],
) -> UInt8[Tensor, "view 3 height width"]:
    """Images in [0, 1] as they are kept."""
    return (image * 255).round().to(torch.uint8)


def distances(
    surface: Float[Tensor, "view 2 down across"],
) -> Float[Tensor, "view down across"]:
    """How far `density_grid.surfaces` are along rays; infinite where nothing is."""
    t, stopped = surface.unbind(1)
    return torch.where(stopped > 0, t, torch.inf)


@torch.no_grad()
def reproject(
    sources: Sources,
    camera: Camera,
    surface: Float[Tensor, "view 2 down across"],
) -> Float[Tensor, "view 6 height width"]:
    """The features of all pixels of cameras.

    Args:
        sources: The input views.
        camera: The cameras, in the model's frame.
        surface: What `density_grid.surfaces` says of them.
    """
    with torch.autocast(surface.device.type, enabled=False):
        return torch.stack(
            [
                _of_view(sources, camera[[i]], surface[i : i + 1])
                for i in range(len(camera))
            ]
        )


def blend(
    colour: Float[Tensor, "batch view 3 height width"],
    gate: Float[Tensor, "batch view 1 height width"],
    reprojected: Float[Tensor, "batch view 6 height width"],
) -> Float[Tensor, "batch view 3 height width"]:
    """Images from what was rendered, and what is reprojected where a view sees it."""
    share = torch.sigmoid(gate + GATE_OFFSET) * reprojected[:, :, 3:4]
    return torch.lerp(colour, reprojected[:, :, :3], share)


def _of_view(
    sources: Sources, camera: Camera, surface: Float[Tensor, "1 2 down across"]
) -> Float[Tensor, "6 height width"]:
    size = camera.height, camera.width
    # Linear, of what is stopped: (t·stopped, stopped).
    t, cover = F.interpolate(surface, size, mode="bilinear")[0]
    t = t / cover.clamp(min=1e-6)
    if sources.poses == "scene":
        t = torch.lerp(torch.full_like(t, SCENE_FAR), t, cover.clamp(max=1))
    origin, direction = (ray[0] for ray in rays(camera))
    point = origin + t * direction
    if len(sources.image) > NUM_NEAR:
        sources = sources[_nearest(sources, point, direction, cover)]
    point, direction = (at.flatten(1).T for at in (point, direction))
    if sources.poses == "scene":
        return _shown(sources, point, direction).unflatten(1, size)
    cover = cover.flatten()
    hit = cover.nonzero()[:, 0]
    features = torch.ones(NUM_REPROJECTED, len(cover), device=cover.device)
    features[SPREAD] = 0
    features[:, hit] = features[:, hit].lerp(
        _shown(sources, point[hit], direction[hit]), cover[hit]
    )
    return features.unflatten(1, size)


def _shown(
    sources: Sources,
    point: Float[Tensor, "point 3"],
    direction: Float[Tensor, "point 3"],
) -> Float[Tensor, "6 point"]:
    """The features of pixels whose rays end at points."""
    place, seen, closeness, weight = _looks(sources, point, direction)
    image = sources.image.to(point) / 255
    colour = F.grid_sample(
        image, place[:, None], align_corners=False, padding_mode="border"
    )[:, :, 0]
    weight = (weight / weight.sum(dim=0))[:, None]
    mean = (colour * weight).sum(dim=0)
    spread = ((colour - mean).square() * weight).sum(dim=0).mean(dim=0)
    best = (seen * closeness).amax(dim=0)
    others = torch.stack([seen.amax(dim=0), 2 * spread.sqrt(), best])
    return torch.cat([mean, others])


def _nearest(
    sources: Sources,
    point: Float[Tensor, "3 height width"],
    direction: Float[Tensor, "3 height width"],
    cover: Float[Tensor, "height width"],
) -> Int[Tensor, "near"]:
    """The views whose share of an image is largest, of an object of what shows it."""
    height, width = point.shape[1:]
    rows, columns = (
        torch.linspace(0, side - 1, min(side, NUM_PROBES)).long().to(point.device)
        for side in (height, width)
    )
    probes = (at[:, rows][:, :, columns].flatten(1).T for at in (point, direction))
    *_, weight = _looks(sources, *probes)
    share = weight / weight.sum(dim=0)
    if sources.poses == "object":
        share = share * cover[rows][:, columns].flatten()
    return share.mean(dim=1).topk(NUM_NEAR).indices


def _looks(
    sources: Sources,
    point: Float[Tensor, "point 3"],
    direction: Float[Tensor, "point 3"],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where views have points, in [−1, 1]; v, how close their side is, and w."""
    camera = sources.camera
    pixel, depth = project(camera, point.expand(len(camera), -1, -1))
    place = pixel / pixel.new_tensor([camera.width, camera.height]) * 2 - 1
    inside = (depth > 0) & (place.abs() < 1).all(dim=-1)
    place = torch.where(inside[..., None], place, 0)
    distance = sources.distance[:, None].to(place)
    ends = F.grid_sample(
        distance,
        place[:, None],
        mode="nearest",
        align_corners=False,
        padding_mode="border",
    )[:, 0, 0]
    towards = point - camera.center[:, None]
    far = towards.norm(dim=-1)
    behind = (far / ends.clamp(min=1e-6) - 1 - SLACK).clamp(min=0)
    seen = torch.exp(-behind / FALL) * inside
    cos = (towards * direction).sum(dim=-1) / far.clamp(min=1e-6)
    apart = (1 - cos).clamp(min=0)
    weight = (seen + FAINT * inside + FAINT**2) / (apart + LEAST_ANGLE).square()
    return place, seen, CLOSE / (CLOSE + apart), weight
