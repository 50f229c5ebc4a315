"""Rays of cameras, and projection between the world and pixels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.camera import Camera


def rays(
    camera: Camera,
) -> tuple[Float[Tensor, "view 3 height width"], Float[Tensor, "view 3 height width"]]:
    """Origins and unit directions of the rays through all pixel centres, in the world.

    Returns:
        Origins in world units and unit directions, each (view, 3, height, width).
    """
    device, dtype = camera.intrinsics.device, camera.intrinsics.dtype
    x_px = torch.arange(camera.width, device=device, dtype=dtype) + 0.5
    y_px = torch.arange(camera.height, device=device, dtype=dtype) + 0.5
    fx, fy, cx, cy = camera.intrinsics[:, :, None, None].unbind(1)
    x = ((x_px[None, None, :] - cx) / fx).expand(-1, camera.height, -1)
    y = ((y_px[None, :, None] - cy) / fy).expand(-1, -1, camera.width)
    local = torch.stack([x, y, torch.ones_like(x)], dim=1)
    rotation = camera.world_from_camera[:, :3, :3]
    direction = torch.einsum("vij,vjhw->vihw", rotation, local)
    direction = direction / direction.norm(dim=1, keepdim=True)
    origin = camera.center[:, :, None, None].expand_as(direction)
    return origin, direction


def project(
    camera: Camera, points: Float[Tensor, "view point 3"]
) -> tuple[Float[Tensor, "view point 2"], Float[Tensor, "view point"]]:
    """Pixel coordinates and depths along z of world points, each in its own view.

    Returns:
        x, y in pixels and depth in world units. A depth of zero or less means the point
        is behind the camera; its pixel coordinates then mean nothing.
    """
    rotation, center = camera.world_from_camera[:, :3, :3], camera.center
    local = torch.einsum("vji,vpj->vpi", rotation, points - center[:, None])
    depth = local[..., 2]
    focal, principal = camera.intrinsics[:, None, :2], camera.intrinsics[:, None, 2:]
    return local[..., :2] / depth[..., None] * focal + principal, depth


def unproject(
    camera: Camera,
    pixels: Float[Tensor, "view point 2"],
    depth: Float[Tensor, "view point"],
) -> Float[Tensor, "view point 3"]:
    """World points at given depths along z behind pixel coordinates."""
    focal, principal = camera.intrinsics[:, None, :2], camera.intrinsics[:, None, 2:]
    xy = (pixels - principal) / focal * depth[..., None]
    local = torch.cat([xy, depth[..., None]], dim=-1)
    rotation, center = camera.world_from_camera[:, :3, :3], camera.center
    return torch.einsum("vij,vpj->vpi", rotation, local) + center[:, None]
