"""The visual hull of views that come in groups, and of all ranks."""

from __future__ import annotations

from contextlib import closing

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.prefill import Progress
from nvs.model.visual_hull import carve, hull_of
from nvs.parallel.group import Group
from nvs.scene.views import Views


def visual_hull(
    views: Views,
    camera: Camera,
    *,
    group_size: int,
    group: Group,
    progress: Progress | None,
) -> Bool[Tensor, "cell cell cell"]:
    """The hull of the views of all ranks, on the CPU.

    Args:
        views: The input views of this rank.
        camera: Their cameras in the model's frame.
        group_size: Views in memory at once.
        group: The ranks.
        progress: Called with (0, 1) before each group; may raise to cancel.

    Raises:
        ImageError: If a view on disk cannot be read.
    """
    left: Bool[Tensor, "cell cell cell"] | None = None
    background: list[Float[Tensor, "view"]] = []
    with closing(views.in_groups(group_size)) as images:
        first = 0
        for image in images:
            if progress is not None:
                progress(0, 1)
            cells, share = carve(image, camera[first : first + len(image)])
            left = cells if left is None else left & cells
            background.append(share)
            first += len(image)
    assert left is not None, "there is at least one view"
    everyone = group.share((left.cpu(), torch.cat(background).cpu()))
    all_left, all_background = zip(*everyone, strict=True)
    return hull_of(all_left, torch.cat(all_background))
