"""Every device gives the published numbers: the same laws on CPU and CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.checkpoint import Checkpoint, load_checkpoint
from nvs.model.tokens import posed_rays
from nvs.scene import PosedViews, Renderer
from nvs.scene.precision import Precision

FILE = Path(__file__).parents[1] / "fixtures" / "published_two_heads.safetensors"
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def rendered(precision: str, device: str, folder: Path) -> tuple[Tensor, Tensor]:
    """What the published weights render in a precision, and the published image."""
    reference = load_file(FILE)
    state = {
        name.removeprefix("model."): tensor
        for name, tensor in reference.items()
        if name.startswith("model.")
    }
    torch.save({"model": state}, folder / "released.pt")
    network = load_checkpoint(folder / "released.pt").network().to(device)
    numbers = Precision.named(precision, torch.device(device))
    numbers.prepare(network)
    image = reference["input.image"]

    def posed(which: str) -> Tensor:
        height, width = image.shape[-2:]
        camera = Camera(
            world_from_camera=reference[f"{which}.c2w"][0],
            intrinsics=reference[f"{which}.fxfycxcy"][0],
            height=height,
            width=width,
        )
        return posed_rays(camera.to(device))

    with torch.no_grad(), numbers.autocast(torch.device(device)):
        scene = network.prefill(posed("input"), image.to(device))
        found = network.render(scene, posed("target"))
    return found.float().cpu(), reference["muon_fp32.render"]


@pytest.mark.parametrize("device", DEVICES)
def test_float32_gives_the_published_image(device: str, tmp_path: Path) -> None:
    found, expected = rendered("float32", device, tmp_path)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_bfloat16_comes_close_to_it(device: str, tmp_path: Path) -> None:
    found, expected = rendered("bfloat16", device, tmp_path)
    assert (found - expected).abs().mean() < 2e-2


@pytest.mark.parametrize("device", DEVICES)
def test_float32_products_are_whole(device: str, checkpoint: Checkpoint) -> None:
    """TF32, which a CUDA device may take for them, has ten bits of fraction."""
    Renderer(checkpoint, model_id="r", device=device, precision="float32")
    a, b = torch.rand(2, 256, 256, dtype=torch.float64)
    found = (a.float().to(device) @ b.float().to(device)).cpu().double()
    assert ((found - a @ b) / (a @ b)).abs().max() < 1e-5


@pytest.mark.gpu
def test_a_cuda_device_runs_blocks_as_they_are(
    checkpoint: Checkpoint, views: PosedViews
) -> None:
    made = [
        Renderer(
            checkpoint, model_id="r", device="cuda", precision="float32", compile=asked
        ).prefill(views)
        for asked in (False, True)
    ]
    for eager, compiled in zip(*(one.fast_weights for one in made), strict=True):
        for left, right in zip(eager, compiled, strict=True):
            torch.testing.assert_close(left, right, atol=1e-2, rtol=0)
