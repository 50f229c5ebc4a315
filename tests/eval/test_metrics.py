"""Metrics against scikit-image, the `lpips` package, formulas and recorded values."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, uniform_filter

from nvs.errors import ImageError, WeightsUnavailableError
from nvs.perceptual import Lpips
from nvs.perceptual.backbones import (
    BACKBONES,
    backbone_state,
    offline_file,
    read_offline,
)
from nvs.scene.quality import (
    PSNR_CAP_DB,
    mean_psnr_db,
    psnr_db,
    ssim_gaussian,
    ssim_uniform,
)
from nvs_eval.metrics import (
    COLUMNS,
    Metrics,
    mean_squared_error,
    pooled_psnr_db,
)
from nvs_eval.summary import bootstrap


def fixed_pair(side: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A smooth picture and the same with a wave on it, the same everywhere."""
    y, x = np.mgrid[0:side, 0:side] / side
    truth = np.stack([x, y, 0.5 + 0.4 * np.sin(9 * x * y)], axis=-1)
    wave = 0.08 * np.sin(40 * x + 7 * y)[..., None] * np.array([1.0, 0.5, -1.0])
    return (truth + wave).clip(0, 1).astype(np.float32), truth.astype(np.float32)


def ssim_by_formula(image, truth, smooth, border: int, bessel: float) -> float:
    """Eq. 13 of Wang et al. (2004), channel by channel."""
    values = []
    for channel in range(3):
        a = truth[..., channel].astype(np.float64)
        b = image[..., channel].astype(np.float64)
        mean_a, mean_b = smooth(a), smooth(b)
        var_a = bessel * (smooth(a * a) - mean_a**2)
        var_b = bessel * (smooth(b * b) - mean_b**2)
        cov = bessel * (smooth(a * b) - mean_a * mean_b)
        c1, c2 = 0.01**2, 0.03**2
        ssim = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
        ssim /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
        values.append(ssim[border:-border, border:-border].mean())
    return float(np.mean(values))


def test_psnr_is_scikit_image_s() -> None:
    from skimage.metrics import peak_signal_noise_ratio

    image, truth = fixed_pair()
    ours = psnr_db(mean_squared_error(image, truth))
    theirs = peak_signal_noise_ratio(
        truth.astype(np.float64), image.astype(np.float64), data_range=1.0
    )
    assert ours == pytest.approx(theirs, rel=1e-12)
    assert ours == pytest.approx(26.2933, abs=1e-3)
    assert psnr_db(0.01) == pytest.approx(20)
    assert psnr_db(0.001) == pytest.approx(30)
    assert psnr_db(0.0) == PSNR_CAP_DB
    both = torch.tensor(np.stack([image, truth]))
    mean = mean_psnr_db(both, torch.tensor(truth).expand_as(both))
    assert mean == pytest.approx((ours + PSNR_CAP_DB) / 2)


def test_both_ssims_follow_their_formula() -> None:
    image, truth = fixed_pair()
    gaussian = ssim_by_formula(
        image,
        truth,
        lambda x: gaussian_filter(x, 1.5, radius=5),
        border=5,
        bessel=121 / 120,
    )
    uniform = ssim_by_formula(
        image, truth, lambda x: uniform_filter(x, 7), border=3, bessel=49 / 48
    )
    assert ssim_gaussian(image, truth) == pytest.approx(gaussian, abs=1e-9)
    assert ssim_uniform(image, truth) == pytest.approx(uniform, abs=1e-9)
    assert abs(gaussian - uniform) > 1e-3, "the two columns must differ"
    assert ssim_gaussian(truth, truth) == pytest.approx(1)


def test_both_ssims_are_scikit_image_s() -> None:
    from skimage.metrics import structural_similarity

    image, truth = (x.astype(np.float64) for x in fixed_pair())
    assert ssim_uniform(image, truth) == structural_similarity(
        truth, image, channel_axis=-1, data_range=1.0
    )
    assert ssim_gaussian(image, truth) == pytest.approx(
        structural_similarity(
            truth,
            image,
            channel_axis=-1,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
        ),
        abs=1e-15,
    )


def test_pooled_psnr_is_that_of_the_mean_error() -> None:
    mses = [0.1, 0.001]
    assert pooled_psnr_db(mses) == pytest.approx(-10 * math.log10(0.0505))
    assert pooled_psnr_db(mses) < np.mean([psnr_db(mse) for mse in mses])
    assert pooled_psnr_db([0.02, 0.02]) == pytest.approx(psnr_db(0.02))


def test_bootstrap_covers_and_is_repeatable() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        interval = bootstrap(rng.normal(3, 1, size=40))
        covered += interval.low <= 3 <= interval.high
    assert covered >= 50
    values = rng.normal(size=10)
    assert bootstrap(values) == bootstrap(values)
    one = bootstrap([2.5])
    assert (one.mean, one.low, one.high) == (2.5, 2.5, 2.5)


@pytest.mark.usefixtures("no_lpips")
def test_missing_backbones_leave_a_reason_or_stop(plain_metrics: Metrics) -> None:
    image, truth = fixed_pair(32)
    values = plain_metrics(image, truth)
    assert values["lpips_vgg"] is None
    assert values["ssim_uniform"] is not None
    assert set(COLUMNS) - {"psnr_pooled"} <= set(values)
    assert "no backbone here" in plain_metrics.unavailable["lpips_alex"]
    with pytest.raises(WeightsUnavailableError):
        Metrics(torch.device("cpu"), require_lpips=True)


@pytest.mark.parametrize("required", [False, True])
def test_only_who_asked_for_lpips_is_told_not_to(
    monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    said: list[str] = []

    def absent(net: str, *, otherwise: str, **_: object) -> None:
        said.append(otherwise)
        raise WeightsUnavailableError("no backbone here", remedy="Fetch it.")

    monkeypatch.setattr("nvs_eval.metrics.Lpips", absent)
    with suppress(WeightsUnavailableError):
        Metrics(torch.device("cpu"), require_lpips=required)
    assert all(("leave out --require-lpips" in text) == required for text in said)


def test_sizes_that_cannot_be_compared(plain_metrics: Metrics) -> None:
    image, truth = fixed_pair(32)
    with pytest.raises(ImageError, match="32×32 pixels is compared"):
        plain_metrics(image, fixed_pair(40)[1])
    with pytest.raises(ImageError, match="31×32 pixels are too small"):
        plain_metrics(image[1:], truth[1:])


def test_the_offline_backbone_is_read_as_data_only(tmp_path: Path) -> None:
    import pickle

    evil = tmp_path / "alexnet.ckpt"
    evil.write_bytes(pickle.dumps({"AlexNet_0": Path("x")}))
    with pytest.raises(WeightsUnavailableError, match=r"refers to pathlib\S*Path"):
        read_offline("alex", evil)


def test_backbones_are_looked_for_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is named, the offline package, torch hub."""
    found = {name: {"from": torch.tensor(i)} for i, name in enumerate("abc")}
    named = tmp_path / "named.pth"
    torch.save(found["a"], named)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    kept = tmp_path / "checkpoints" / Path(BACKBONES["alex"].url).name
    torch.save(found["c"], kept)
    backbones = "nvs.perceptual.backbones"
    monkeypatch.setattr(f"{backbones}.offline_file", lambda net: tmp_path)
    monkeypatch.setattr(f"{backbones}.read_offline", lambda net, file: found["b"])

    def origin(file: Path | None) -> int:
        return int(backbone_state("alex", file, remedy="-")[0]["from"])

    assert origin(named) == 0
    assert origin(None) == 1
    monkeypatch.setattr(f"{backbones}.offline_file", lambda net: None)
    assert origin(None) == 2, "what torch hub keeps is not downloaded again"
    kept.write_bytes(b"cut short")
    with pytest.raises(WeightsUnavailableError, match="is damaged"):
        origin(None)
    with pytest.raises(WeightsUnavailableError, match="there is no file"):
        origin(tmp_path / "absent.pth")


def test_torch_hub_says_nothing_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There a command may be printing JSON."""
    backbones = "nvs.perceptual.backbones"
    monkeypatch.setattr(f"{backbones}.offline_file", lambda net: None)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))

    def fetch(url: str, file: str, *_: object, **__: object) -> None:
        torch.save({"from": torch.tensor(3)}, file)

    monkeypatch.setattr("torch.hub.download_url_to_file", fetch)
    assert int(backbone_state("alex", None, remedy="-")[0]["from"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "Downloading" in said.err


RECORDED = {"alex": 0.1088, "vgg": 0.2565}
"""From `lpips` 0.1.4 itself, with torchvision's ImageNet backbones, on `fixed_pair`."""


@pytest.mark.parametrize("net", ["alex", pytest.param("vgg", marks=pytest.mark.slow)])
def test_lpips_is_the_package_s_own(net) -> None:
    lpips = pytest.importorskip("lpips") if _torchvision() else None
    file = offline_file(net)
    if file is None or lpips is None:
        pytest.skip("the offline backbones are not installed")
    ours = Lpips(net, option="-", otherwise="-", extra="eval")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    for name, tensor in read_offline(net, file).items():
        _, index, kind = name.split(".")
        for key, parameter in theirs.net.named_parameters():
            if key.endswith(f".{index}.{kind}"):
                parameter.data.copy_(tensor)
    image, truth = (torch.from_numpy(x).permute(2, 0, 1)[None] for x in fixed_pair())
    value = ours(image, truth).item()
    assert value == theirs(image * 2 - 1, truth * 2 - 1).item()
    assert value == pytest.approx(RECORDED[net], abs=1e-4)
    assert ours(truth, truth).item() == 0


def _torchvision() -> bool:
    from nvs.errors import MissingExtraError
    from nvs.perceptual.lpips import import_torchvision

    try:
        import_torchvision(extra="eval", otherwise="")
    except MissingExtraError:
        return False
    return True
