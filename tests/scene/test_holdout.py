"""Views that were kept out, and what they say about a scene."""

from __future__ import annotations

import sys
from statistics import fmean

import numpy as np
import pytest
import torch

from nvs.errors import ConfigError
from nvs.perceptual.backbones import is_at_hand
from nvs.scene import PosedViews, Renderer
from nvs.scene.holdout import Comparison, compare, split
from nvs.scene.quality import Closeness, Measure, mean_psnr_db, ssim_gaussian
from nvs_eval.metrics import Metrics


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
    # Neighbours on the ring of six: the fourth of the fifth, the first of the sixth.
    nearest = inputs.image[[3, 0]].permute(0, 2, 3, 1)
    flat = torch.full_like(truth, 0) + inputs.image.mean(dim=(0, 2, 3))
    renders = renderer.render(scene, held_out.camera)
    assert compared.num_views == 2
    for close, shown in (
        (compared.render, renders),
        (compared.nearest, nearest),
        (compared.flat, flat),
    ):
        assert close.psnr_db == pytest.approx(mean_psnr_db(shown, truth))
        assert close.ssim == pytest.approx(
            fmean(map(ssim_gaussian, shown.numpy(), truth.numpy())), abs=1e-6
        )
        assert close.lpips is None
    assert compared.notes == (
        "LPIPS is left out: pictures of 16 pixels a side are too small. Build at 32 "
        "pixels a side or more.",
    )
    assert compared.picture.ndim == 3


def test_every_held_out_view_is_told(renderer: Renderer, views: PosedViews) -> None:
    told: list[tuple[int, int]] = []
    compare(
        *(renderer, renderer.prefill(views[:4]), views[:4], views[4:]),
        progress=lambda *news: told.append(news),
    )
    assert told == [(1, 2), (2, 2)]


def test_lpips_is_the_evaluators_where_its_backbone_is_there() -> None:
    if not is_at_hand("vgg"):
        pytest.skip("the backbone is not on this machine")
    image, truth = torch.rand(2, 2, 32, 32, 3, generator=torch.Generator())
    close = Measure(32, 32, torch.device("cpu"))(image, truth)
    metrics = Metrics(torch.device("cpu"))
    values = [metrics(*pair) for pair in zip(image.numpy(), truth.numpy(), strict=True)]
    for ours, theirs in (
        (close.psnr_db, "psnr"),
        (close.ssim, "ssim_gaussian"),
        (close.lpips, "lpips_vgg"),
    ):
        assert ours == pytest.approx(fmean(value[theirs] or 0 for value in values))


def test_what_is_not_there_is_left_out_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    monkeypatch.setattr("nvs.perceptual.backbones.is_at_hand", lambda _: False)
    measure = Measure(32, 32, torch.device("cpu"))
    close = measure(torch.zeros(1, 32, 32, 3), torch.ones(1, 32, 32, 3))
    assert (close.psnr_db, close.ssim, close.lpips) == (0, None, None)
    ssim, lpips = measure.notes
    assert ssim.startswith("SSIM is left out: this needs the package 'scikit-image'")
    assert lpips.startswith("LPIPS is left out: the backbone of LPIPS is not on this")


CLOSER = "comes 2.5 dB closer than the nearest photograph"


@pytest.mark.parametrize(
    ("psnr_db", "nearest", "flat", "ssim", "meaning"),
    [
        (9.0, 8.0, 11.0, None, "does worse than one flat colour"),
        (12.0, 14.0, 11.0, None, "does no better than the nearest photograph"),
        (14.3, 14.0, 11.0, 0.9, "does no better than the nearest photograph"),
        (16.5, 14.0, 11.0, None, CLOSER),
        (16.5, 14.0, 11.0, 0.6, CLOSER),
        (16.5, 14.0, 11.0, 0.4, f"{CLOSER}, which is more alike in structure"),
    ],
)
def test_the_sentence(
    psnr_db: float, nearest: float, flat: float, ssim: float | None, meaning: str
) -> None:
    render = Closeness(psnr_db=psnr_db, ssim=ssim, lpips=None)
    near = Closeness(psnr_db=nearest, ssim=0.5, lpips=None)
    one_colour = Closeness(psnr_db=flat, ssim=None, lpips=None)
    compared = Comparison(
        weights="w",
        num_views=1,
        render=render,
        nearest=near,
        flat=one_colour,
        notes=(),
        picture=np.zeros((1, 1, 3), np.uint8),
    )
    assert compared.meaning.startswith(f"w {meaning}")
