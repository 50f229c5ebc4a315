"""Views that were kept out, and what they say about a scene."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nvs.errors import ConfigError
from nvs.scene import PosedViews, Renderer
from nvs.scene.holdout import compare, split
from nvs.scene.quality import mean_psnr_db


def test_every_nth_view_is_kept_out() -> None:
    assert split(range(7), 3) == ([1, 2, 4, 5], [0, 3, 6])
    assert split([9, 4, 2], 2) == ([4], [9, 2])


@pytest.mark.parametrize(("count", "every"), [(5, 1), (5, 0), (1, 8), (0, 8)])
def test_something_must_be_left_to_build_from(count: int, every: int) -> None:
    with pytest.raises(ConfigError, match="cannot be kept out"):
        split(range(count), every)


def test_numbers_are_those_of_the_images(renderer: Renderer, views: PosedViews) -> None:
    inputs, held_out = views[:4], views[4:]
    scene = renderer.prefill(inputs)
    compared = compare(renderer, scene, inputs, held_out)
    truth = held_out.image.permute(0, 2, 3, 1)
    assert compared.num_views == 2
    assert compared.psnr_db == mean_psnr_db(
        renderer.render(scene, held_out.camera), truth
    )
    # Neighbours on the ring of six: the fourth of the fifth, the first of the sixth.
    nearest = inputs.image[[3, 0]].permute(0, 2, 3, 1)
    assert compared.nearest_psnr_db == mean_psnr_db(nearest, truth)
    flat = torch.full_like(truth, 0) + inputs.image.mean(dim=(0, 2, 3))
    assert compared.flat_psnr_db == pytest.approx(mean_psnr_db(flat, truth))
    assert compared.picture.ndim == 3


@pytest.mark.parametrize(
    ("psnr_db", "nearest", "flat", "meaning"),
    [
        (9.0, 8.0, 11.0, "worse than one flat colour"),
        (12.0, 14.0, 11.0, "no better than showing the nearest"),
        (16.5, 14.0, 11.0, "2.5 dB closer than the nearest photograph"),
    ],
)
def test_the_sentence(
    renderer: Renderer,
    views: PosedViews,
    psnr_db: float,
    nearest: float,
    flat: float,
    meaning: str,
) -> None:
    compared = compare(renderer, renderer.prefill(views[:4]), views[:4], views[4:])
    told = replace(
        compared, psnr_db=psnr_db, nearest_psnr_db=nearest, flat_psnr_db=flat
    )
    assert meaning in told.meaning
