"""Densities of views that come in groups, and of all ranks."""

from __future__ import annotations

from contextlib import closing

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.density_net import DensityNet, Sights, small
from nvs.model.prefill import Progress
from nvs.model.trained_on import Poses
from nvs.model.visual_hull import carve, hull_of
from nvs.parallel.group import Group
from nvs.scene.views import Views


def find_density(
    net: DensityNet,
    views: Views,
    camera: Camera,
    *,
    poses: Poses,
    group_size: int,
    group: Group,
    progress: Progress | None,
) -> Float[Tensor, "cell cell cell"]:
    """The densities that the views of all ranks show, on the CPU, in float16.

    Args:
        net: The network that knows.
        views: The input views of this rank.
        camera: Their cameras in the model's frame.
        poses: What the weights expect.
        group_size: Views in memory at once, beside small ones of all.
        group: The ranks.
        progress: Called with (0, 1) before each group; may raise to cancel.

    Raises:
        ImageError: If a view on disk cannot be read.
    """
    left: Bool[Tensor, "cell cell cell"] | None = None
    background: list[Float[Tensor, "view"]] = []
    images: list[Float[Tensor, "view 3 height width"]] = []
    cameras: list[Camera] = []
    with closing(views.in_groups(group_size)) as groups:
        first = 0
        for image in groups:
            if progress is not None:
                progress(0, 1)
            own = camera[first : first + len(image)].to("cpu", torch.float32)
            if poses == "object":
                cells, share = carve(image, own)
                left = cells.cpu() if left is None else left & cells.cpu()
                background.append(share.cpu())
            shrunk, its_camera = small(image.cpu(), own)
            images.append(shrunk)
            cameras.append(its_camera)
            first += len(image)
    mine = (left, background, torch.cat(images), Camera.cat(cameras))
    all_left, all_background, all_images, all_cameras = zip(
        *group.share(mine), strict=True
    )
    hull = None
    if poses == "object":
        shares = torch.cat([share for some in all_background for share in some])
        hull = hull_of(all_left, shares).to(group.device)
    sights = Sights(
        image=torch.cat(all_images).to(group.device),
        camera=Camera.cat(all_cameras).to(group.device),
        hull=hull,
    )
    return group.of_first(net.density(sights).to("cpu", torch.float16))
