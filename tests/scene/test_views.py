from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from nvs.errors import CameraError, DatasetError, ImageError, NvsError
from nvs.scene import PosedViews


def with_pose(change: Callable[[torch.Tensor], None]) -> Callable[[PosedViews], object]:
    def spoil(views: PosedViews) -> object:
        poses = views.camera.world_from_camera.clone()
        change(poses[2])
        return replace(views, camera=replace(views.camera, world_from_camera=poses))

    return spoil


def with_intrinsics(index: int, value: float) -> Callable[[PosedViews], object]:
    def spoil(views: PosedViews) -> object:
        intrinsics = views.camera.intrinsics.clone()
        intrinsics[2, index] = value
        return replace(views, camera=replace(views.camera, intrinsics=intrinsics))

    return spoil


def with_pixel(value: float) -> Callable[[PosedViews], object]:
    def spoil(views: PosedViews) -> object:
        image = views.image.clone()
        image[2, 1, 3, 4] = value
        return replace(views, image=image)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (with_pose(lambda p: p[0, 3].fill_(float("nan"))), CameraError, "2.png.*NaN"),
        (with_pose(lambda p: p[:3, 0].mul_(-1)), CameraError, "2.png.*left-handed"),
        (with_pose(lambda p: p[:3, :3].mul_(2)), CameraError, "2.png.*orthonormal"),
        (with_pose(lambda p: p.copy_(p.clone().T)), CameraError, "2.png.*transposed"),
        (with_intrinsics(0, -5.0), CameraError, "2.png: focal .* -5.*positive"),
        (with_intrinsics(2, float("inf")), CameraError, "2.png: fx, fy, cx.*inf"),
        (with_pixel(float("nan")), ImageError, "2.png: pixel values run from nan"),
        (with_pixel(2.0), ImageError, r"2.png: pixel values .* to 2\. .*\[0, 1\]"),
        (lambda v: replace(v, names=("a",)), DatasetError, "6 images, 6 .* 1 names"),
        (lambda v: replace(v, image=v.image[..., :8]), ImageError, "are for 16×24"),
        (lambda v: v[[]], DatasetError, "0 images.*at least one view"),
    ],
)
def test_bad_views_are_named(
    views: PosedViews,
    spoil: Callable[[PosedViews], object],
    error: type[NvsError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        spoil(views)


def test_nearly_orthonormal_is_accepted(views: PosedViews) -> None:
    with_pose(lambda p: p[:3, :3].mul_(1 + 4e-4))(views)


def test_selection_keeps_views_together(views: PosedViews) -> None:
    chosen = views[[4, 1]]
    assert chosen.names == ("4.png", "1.png")
    assert torch.equal(chosen.image[1], views.image[1])
    assert torch.equal(chosen.camera.center[0], views.camera.center[4])
    assert views[2:4].names == ("2.png", "3.png")
    assert views[-1].names == ("5.png",)


def test_views_without_names_are_numbered(views: PosedViews) -> None:
    unnamed = PosedViews(image=views.image, camera=views.camera)
    assert unnamed[[4, 1]].names == ("view 4", "view 1")
