"""Batches as the training loop sees them."""

from __future__ import annotations

import pytest
import torch

from nvs.cameras import Camera
from nvs.train.synthetic import draw_scenes
from nvs.train.synthetic.batch import SyntheticBatch

SIZE = {"height": 24, "width": 32}


def object_batch(
    *, device="cpu", supersample=2, with_depth=False, **values
) -> SyntheticBatch:
    drawn = draw_scenes("object", **SIZE | values)
    return drawn.render(device, supersample=supersample, with_depth=with_depth)


def room_batch(*, device="cpu", with_depth=False, **values) -> SyntheticBatch:
    return draw_scenes("room", **SIZE | values).render(device, with_depth=with_depth)


MAKERS = [object_batch, room_batch]


def close(left: SyntheticBatch, right: SyntheticBatch) -> None:
    torch.testing.assert_close(left.world_from_camera, right.world_from_camera)
    torch.testing.assert_close(left.intrinsics, right.intrinsics)
    torch.testing.assert_close(left.image, right.image, atol=1e-4, rtol=0)


@pytest.mark.parametrize("make", MAKERS)
def test_one_seed_gives_one_batch(make) -> None:
    batches = [make(batch=2, views=3, seed=s) for s in (4, 4, 5)]
    assert torch.equal(batches[0].image, batches[1].image)
    assert (batches[0].image - batches[2].image).abs().mean() > 0.01
    assert (batches[0].image[0] - batches[0].image[1]).abs().mean() > 0.01


@pytest.mark.parametrize("make", MAKERS)
def test_a_scene_does_not_depend_on_the_batch_around_it(make) -> None:
    large = make(batch=5, views=3, seed=1)
    small = make(batch=2, views=3, seed=1)
    first = {name: getattr(large, name)[:2] for name in ("image", "intrinsics")}
    close(
        SyntheticBatch(
            **first, world_from_camera=large.world_from_camera[:2], depth=None
        ),
        small,
    )


@pytest.mark.parametrize("make", MAKERS)
def test_more_views_extend_fewer(make) -> None:
    few = make(batch=2, views=3, seed=1)
    many = make(batch=2, views=7, seed=1)
    torch.testing.assert_close(few.image, many.image[:, :3], atol=1e-4, rtol=0)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = object_batch(batch=3, views=2, seed=2)
    monkeypatch.setattr("nvs.train.synthetic.render.SAMPLES_AT_ONCE", {"cpu": 1})
    close(object_batch(batch=3, views=2, seed=2), whole)


@pytest.mark.gpu
@pytest.mark.parametrize("make", MAKERS)
def test_devices_agree(make) -> None:
    near, far = (
        make(batch=2, views=3, seed=7, device=device, with_depth=True)
        for device in ("cpu", "cuda")
    )
    torch.testing.assert_close(near.world_from_camera, far.world_from_camera.cpu())
    gap = (near.image - far.image.cpu()).abs()
    assert (gap < 1e-2).float().mean() > 0.995


@pytest.mark.parametrize("make", MAKERS)
def test_values_and_cameras_are_sound(make) -> None:
    made = make(batch=4, views=5, seed=3, with_depth=True)
    assert made.image.shape == (4, 5, 3, 24, 32)
    assert 0 <= made.image.min() < made.image.max() <= 1
    assert (made.depth > 0).all()
    for poses, intrinsics in zip(made.world_from_camera, made.intrinsics, strict=True):
        Camera(world_from_camera=poses, intrinsics=intrinsics, **SIZE).check()
        assert torch.equal(intrinsics, intrinsics[:1].expand_as(intrinsics))


def test_background_of_objects_is_white() -> None:
    made = object_batch(batch=6, views=4, seed=3, with_depth=True)
    solid = made.depth.isfinite().float()
    near = torch.nn.functional.max_pool2d(solid, 3, stride=1, padding=1) > 0
    far = ~near[:, :, None].expand_as(made.image)
    assert (made.image[far] == 1).all()
    assert 0.05 < solid.mean() < 0.7
    assert (solid.flatten(2).sum(-1) > 0).all()


def test_supersampling_is_the_mean_of_a_finer_picture() -> None:
    fine = object_batch(batch=2, views=2, height=48, width=64, seed=5, supersample=1)
    coarse = object_batch(batch=2, views=2, seed=5, supersample=2)
    mean = torch.nn.functional.avg_pool2d(fine.image.flatten(0, 1), 2)
    torch.testing.assert_close(mean, coarse.image.flatten(0, 1), atol=1e-3, rtol=0)


def test_rooms_are_framed_by_the_mean_of_the_chosen_cameras() -> None:
    made = room_batch(batch=3, views=6, seed=0, framing_views=4, with_depth=True)
    inputs = made.world_from_camera[:, :4]
    centers = inputs[..., :3, 3]
    torch.testing.assert_close(centers.mean(1), torch.zeros(3, 3), atol=1e-5, rtol=0)
    largest = centers.abs().flatten(1).amax(-1)
    torch.testing.assert_close(largest, torch.ones(3), atol=1e-5, rtol=0)
    forward = torch.nn.functional.normalize(inputs[..., :3, 2].mean(1), dim=-1)
    ahead = torch.tensor([0.0, 0.0, 1.0]).expand(3, 3)
    torch.testing.assert_close(forward, ahead, atol=1e-5, rtol=0)
    every = room_batch(batch=3, views=6, seed=0, with_depth=True)
    assert torch.equal(every.image, made.image)
    ratio = every.depth / made.depth
    span = ratio.masked_fill(~ratio.isfinite(), 1.0)
    assert (span - 1).abs().max() > 1e-3
