"""Number by number against the published implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.checkpoint import Checkpoint, load_checkpoint
from nvs.model.tokens import posed_rays

FILES = ["single_head_ttt2x", "two_heads_ttt4x"]


@pytest.fixture(params=FILES)
def reference(request: pytest.FixtureRequest, shared: Path) -> dict[str, Tensor]:
    path = shared / "fixtures" / "official_parity" / f"{request.param}.safetensors"
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def checkpoint(reference: dict[str, Tensor], tmp_path: Path) -> Checkpoint:
    """Loaded from a file of the released form."""
    return released(reference, tmp_path)


def released(reference: dict[str, Tensor], folder: Path) -> Checkpoint:
    state = {
        name.removeprefix("model."): tensor
        for name, tensor in reference.items()
        if name.startswith("model.")
    }
    path = folder / "released.pt"
    torch.save({"model": state}, path)
    return load_checkpoint(path)


def cameras(reference: dict[str, Tensor], which: str) -> Camera:
    height, width = reference["input.image"].shape[-2:]
    return Camera(
        world_from_camera=reference[f"{which}.c2w"][0],
        intrinsics=reference[f"{which}.fxfycxcy"][0],
        height=height,
        width=width,
    )


@torch.no_grad()
def test_images_equal_the_published_ones(tmp_path: Path) -> None:
    """In every clone, from the numbers beside the tests."""
    reference = load_file(FIXTURES / "published_two_heads.safetensors")
    network = released(reference, tmp_path).network()
    network.set_newton_schulz_dtype(torch.float32)
    posed = posed_rays(cameras(reference, "input"))
    target = posed_rays(cameras(reference, "target"))
    joint = network(posed, reference["input.image"], target)
    rendered = network.render(network.prefill(posed, reference["input.image"]), target)
    for found, name in ((joint, "forward"), (rendered, "render")):
        expected = reference[f"muon_fp32.{name}"]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_float32_equals_the_published_numbers(
    reference: dict[str, Tensor], checkpoint: Checkpoint
) -> None:
    network = checkpoint.network()
    network.set_newton_schulz_dtype(torch.float32)
    posed = posed_rays(cameras(reference, "input"))
    target = posed_rays(cameras(reference, "target"))
    joint = network(posed, reference["input.image"], target)
    scene = network.prefill(posed, reference["input.image"])
    rendered = network.render(scene, target)
    torch.testing.assert_close(joint, reference["muon_fp32.forward"], atol=1e-4, rtol=0)
    torch.testing.assert_close(
        rendered, reference["muon_fp32.render"], atol=1e-4, rtol=0
    )
    for block, weights in enumerate(scene):
        for number, weight in enumerate(weights):
            torch.testing.assert_close(
                weight[0],
                reference[f"muon_fp32.fast_weights.{block}.w{number}"],
                atol=1e-4,
                rtol=0,
            )


@torch.no_grad()
def test_bfloat16_newton_schulz_is_close(
    reference: dict[str, Tensor], checkpoint: Checkpoint
) -> None:
    network = checkpoint.network()
    network.set_newton_schulz_dtype(torch.bfloat16)
    scene = network.prefill(
        posed_rays(cameras(reference, "input")), reference["input.image"]
    )
    rendered = network.render(scene, posed_rays(cameras(reference, "target")))
    error = (rendered - reference["muon_bf16.render"]).abs().mean()
    assert error < 2e-2
