"""The loss, its perceptual part, and what is said when that cannot be had."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError

import pytest
import torch

from nvs.errors import WeightsUnavailableError
from nvs.train.config import TrainConfig
from nvs.train.losses import loss_of, perceptual_network

MakeConfig = Callable[..., TrainConfig]
VGG_CHANNELS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    17: (256, 512),
    19: (512, 512),
    21: (512, 512),
    24: (512, 512),
    26: (512, 512),
    28: (512, 512),
}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("lpips") is None:
        pytest.skip("lpips is not installed")
    draw = torch.Generator().manual_seed(0)
    state: dict[str, torch.Tensor] = {}
    for index, (inside, outside) in VGG_CHANNELS.items():
        weight = torch.randn(outside, inside, 3, 3, generator=draw)
        state[f"features.{index}.weight"] = weight * math.sqrt(2 / (9 * inside))
        state[f"features.{index}.bias"] = torch.zeros(outside)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state, path)
    return path


def test_chroma_weight_counts_what_channels_do_not_share() -> None:
    truth = torch.rand(1, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = {"chroma_weight": 1.0, "lpips_weight": 0.0, "perceptual": None}
    weighted = plain | {"chroma_weight": 8.0}
    greyer = truth + 0.1
    loss = loss_of(greyer, truth, **weighted)
    assert loss.total.item() == pytest.approx(0.01, rel=1e-4)
    redder = truth + torch.tensor([0.2, -0.1, -0.1])[:, None, None]
    loss = loss_of(redder, truth, **weighted)
    assert loss.total.item() == pytest.approx(8 * 0.02, rel=1e-4)
    assert loss.squared_error.item() == pytest.approx(0.02, rel=1e-4)
    loss = loss_of(redder, truth, **plain)
    assert loss.total.item() == pytest.approx(0.02, rel=1e-4)


def test_lpips_counts_where_it_has_a_weight(backbone: Path) -> None:
    perceptual = perceptual_network(backbone)
    truth = torch.rand(1, 2, 3, 32, 32)
    rendered = torch.rand(1, 2, 3, 32, 32, requires_grad=True)
    options = {"chroma_weight": 1.0, "perceptual": perceptual}
    without = loss_of(rendered, truth, lpips_weight=0.0, **options)
    weighted = loss_of(rendered, truth, lpips_weight=0.5, **options)
    assert without.lpips is None
    assert torch.equal(without.total, without.squared_error)
    assert weighted.lpips is not None
    expected = weighted.squared_error + 0.5 * weighted.lpips
    torch.testing.assert_close(weighted.total, expected)
    (gradient,) = torch.autograd.grad(weighted.lpips, rendered)
    assert gradient.abs().sum() > 0
    assert not any(p.requires_grad for p in perceptual.parameters())


def test_lpips_of_equal_images_is_zero(backbone: Path) -> None:
    image = torch.rand(2, 3, 32, 32)
    perceptual = perceptual_network(backbone)
    assert perceptual(image, image).tolist() == [0, 0]
    assert perceptual(image, 1 - image).min() > 0


def test_the_backbone_s_weights_are_the_ones_given(backbone: Path) -> None:
    state = torch.load(backbone, weights_only=True)
    held = perceptual_network(backbone).network.net.state_dict()
    assert torch.equal(held["slice1.0.weight"], state["features.0.weight"])
    assert torch.equal(held["slice5.28.bias"], state["features.28.bias"])


def test_without_a_network_the_file_to_fetch_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if find_spec("lpips") is None:
        pytest.skip("lpips is not installed")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("nvs.perceptual.backbones.offline_file", lambda net: None)

    def refuse(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(WeightsUnavailableError) as caught:
        perceptual_network()
    assert "cannot download the LPIPS backbone vgg" in caught.value.problem
    assert "(<urlopen error no route to host>)" in caught.value.problem
    assert "vgg16-397923af.pth" in caught.value.remedy
    assert "--set lpips_weight=0" in caught.value.remedy


def test_a_wrong_backbone_is_named(backbone: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match=r"there is no file .*gone.pth"):
        perceptual_network(tmp_path / "gone.pth")
    text = tmp_path / "text.pth"
    text.write_text("not weights")
    with pytest.raises(WeightsUnavailableError, match="is not a plain tensor file"):
        perceptual_network(text)
    state = torch.load(backbone, weights_only=True)
    del state["features.28.bias"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(WeightsUnavailableError, match=r"features.28.bias is missing"):
        perceptual_network(tmp_path / "short.pth")
