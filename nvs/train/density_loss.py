"""What trains a `DensityNet`: rays of all views must stop where they meet a surface."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nvs.cameras import Camera
from nvs.cameras.rays import rays
from nvs.model.density_grid import stopping_loss, stops
from nvs.model.density_net import HIDING, DensityNet, Sights
from nvs.train.batch import Batch

RAYS_A_SCENE = 2048
LOOKED_THROUGH = 3
"""How many times as many are drawn, for those to be left that pass where an object may
be."""


class DensityLoss(nn.Module):
    """The loss of the densities of scenes whose depth is known.

    Args:
        net: What is trained.
    """

    def __init__(self, net: DensityNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, batch: Batch, seed: int) -> Float[Tensor, ""]:
        """Mean of `stopping_loss` over scenes and passes.

        Args:
            batch: Scenes with depth.
            seed: Of the rays that are drawn.
        """
        generator = torch.Generator(batch.image.device).manual_seed(seed)
        assert batch.depth is not None, "ordered with depth"
        views = batch.world_from_camera.shape[1]
        camera = batch.camera()
        losses: list[Tensor] = []
        for index, sights in enumerate(batch.sights()):
            own = camera[range(index * views, (index + 1) * views)]
            found = self.net.densities(sights)
            with torch.autocast(sights.image.device.type, enabled=False):
                given = _rays(own, batch.depth[index], sights, generator)
                losses += [
                    stopping_loss(density, *given, sights.poses, generator)
                    for density in found
                ]
        return torch.stack(losses).mean()


def _rays(
    camera: Camera,
    depth: Float[Tensor, "view height width"],
    sights: Sights,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "ray 3"], Float[Tensor, "ray 3"], Float[Tensor, "ray"]]:
    """Origins and directions of some rays, and how far they go."""
    origin, direction = (found.movedim(1, -1).flatten(0, 2) for found in rays(camera))
    along = camera.world_from_camera[:, None, None, :3, 2].expand(*depth.shape, 3)
    number = RAYS_A_SCENE * (1 if sights.hull is None else LOOKED_THROUGH)
    order = torch.randperm(len(origin), generator=generator, device=origin.device)
    drawn = order[:number]
    if sights.hull is not None:
        full = sights.looked_at()[None].float() * HIDING
        _, enters = stops(full, origin[drawn][None], direction[drawn][None], "object")
        drawn = drawn[enters[0] > 0][:RAYS_A_SCENE]
    cosine = (direction[drawn] * along.flatten(0, 2)[drawn]).sum(dim=-1)
    return origin[drawn], direction[drawn], depth.flatten()[drawn] / cosine
