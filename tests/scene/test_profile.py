"""Where time goes: parts that add up, with the operations that the network has."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nvs.config import ModelConfig
from nvs.model import cost, fast_weight
from nvs.model.checkpoint import random_checkpoint
from nvs.scene import Renderer
from nvs.scene import profile as module
from nvs.scene.profile import REST, profile

SIZE = {"height": 16, "width": 16}


@pytest.fixture(autouse=True)
def _known_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "matmul_flops_per_second", lambda *_: 1e11)
    monkeypatch.setattr(module, "copy_bytes_per_second", lambda *_: 1e10)


def test_the_rate_of_a_copy_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(module, "COPY_BYTES", 2**20)
    assert module.copy_bytes_per_second(torch.device("cpu")) > 1e6


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("position", ["none", "ray_point"])
def test_operations_of_the_parts_are_those_of_the_network(
    precision: str, position: Any
) -> None:
    config = ModelConfig(
        dim=32,
        num_blocks=2,
        fast_head_dim=16,
        attention_head_dim=16,
        patch_size=4,
        fast_position=position,
    )
    renderer = Renderer(random_checkpoint(config), model_id="x", precision=precision)
    result = profile(renderer, num_views=3, **SIZE)
    expected = {
        "prefill": cost.prefill_flops(config, num_views=3, **SIZE),
        "frame": cost.render_flops(config, **SIZE),
    }
    for work, flops in expected.items():
        parts = result[work]
        assert sum(part["flops"] for part in parts) == flops
        assert sum(part["share"] for part in parts) == pytest.approx(1)
        assert all(part["bytes"] > 0 for part in parts if part["part"] != REST)
        assert min(part["seconds"] for part in parts) > 0
    names = {part["part"] for part in result["prefill"]}
    assert "Newton–Schulz" in names - {part["part"] for part in result["frame"]}


def test_what_was_watched_is_as_before() -> None:
    before = fast_weight.apply
    config = ModelConfig(dim=32, num_blocks=1, fast_head_dim=16, attention_head_dim=16)
    renderer = Renderer(random_checkpoint(config), model_id="x", precision="float32")
    with pytest.raises(Exception, match="does not fit patches"):
        profile(renderer, num_views=1, height=15, width=16)
    profile(renderer, num_views=1, **SIZE)
    assert fast_weight.apply is before
