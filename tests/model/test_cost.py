from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nvs.cameras import orbit
from nvs.config import ModelConfig, preset
from nvs.model import LaCTNetwork, cost
from nvs.model.checkpoint import random_checkpoint
from nvs.scene import PosedViews, Renderer

SMALL = {"dim": 32, "num_blocks": 3, "attention_head_dim": 16, "fast_head_dim": 16}


@pytest.mark.parametrize(
    ("name", "millions", "fast_millions"),
    [
        ("lact_l24_d768_ttt2x", 312.3, 84.9),
        ("lact_l24_d768_ttt4x", 397.2, 169.9),
    ],
)
def test_published_sizes(name: str, millions: float, fast_millions: float) -> None:
    config = preset(name)
    assert round(cost.num_parameters(config) / 1e6, 1) == millions
    assert round(cost.num_fast_parameters(config) / 1e6, 1) == fast_millions


@pytest.mark.parametrize(
    "changes", [{}, {"fast_network": "linear"}, {"update_rule": "momentum"}]
)
def test_parameters_are_those_of_the_network(changes: dict[str, object]) -> None:
    config = ModelConfig(**SMALL, **changes)
    network = LaCTNetwork(config)
    assert cost.num_parameters(config) == sum(p.numel() for p in network.parameters())
    fast = sum(w.numel() for block in network.blocks for w in block.lact.initial)
    assert cost.num_fast_parameters(config) == fast


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fast_network": "linear"},
        {"update_rule": "gradient_descent"},
        {"fast_position": "ray_point"},
    ],
)
def test_operations_are_those_counted(changes: dict[str, object]) -> None:
    config = ModelConfig(**SMALL, **changes)
    renderer = Renderer(
        random_checkpoint(config), model_id="random", device="cpu", precision="float32"
    )
    camera = orbit(
        3, radius=2.7, elevation_radians=0.0, hfov_radians=0.9, height=16, width=24
    )
    views = PosedViews(
        image=torch.rand(3, 3, 16, 24), camera=camera, names=("a", "b", "c")
    )
    with sdpa_kernel(SDPBackend.MATH):
        with FlopCounterMode(display=False) as counter:
            scene = renderer.prefill(views)
        rays = 3 * 16 * 24 * 2 * 9
        expected = cost.prefill_flops(config, num_views=3, height=16, width=24)
        assert counter.get_total_flops() == pytest.approx(expected + rays, rel=1e-3)
        with FlopCounterMode(display=False) as counter:
            renderer.render(scene, camera[0])
        expected = cost.render_flops(config, height=16, width=24)
        assert counter.get_total_flops() == pytest.approx(expected + rays / 3, rel=1e-3)
