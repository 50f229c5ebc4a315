"""Laws of positions inside the fast weights, and the reference numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from nvs.cameras import Camera, orbit
from nvs.config import ModelConfig
from nvs.errors import ConfigError
from nvs.model import LaCTNetwork
from nvs.model.ray_point import ray_points, scene_pivot, turns
from nvs.model.tokens import posed_rays

FIXTURES = Path(__file__).parents[1] / "fixtures"
HEAD, HIDDEN = 48, 96


def unit_turns(point: Tensor) -> tuple[Tensor, Tensor]:
    """A fixed query and key, turned by points (token, 3)."""
    generator = torch.Generator().manual_seed(3)
    q, k = torch.randn(2, 1, 1, 1, HEAD, dtype=torch.float64, generator=generator)
    turn = turns(point[None], head_dim=HEAD, hidden_dim=HIDDEN).head
    count = len(point)
    return (
        turn.apply(q.expand(1, 1, count, HEAD)),
        turn.apply(k.expand(1, 1, count, HEAD)),
    )


@torch.no_grad()
def test_equals_the_reference_numbers() -> None:
    check_reference(FIXTURES / "ray_rotation.safetensors")


@torch.no_grad()
def test_two_heads_equal_the_reference_numbers(shared: Path) -> None:
    check_reference(shared / "fixtures" / "ray_rotation" / "0.safetensors")


def check_reference(path: Path) -> None:
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        config = json.loads(file.metadata()["config"])
    assert config.pop("point") == [0, 0, 0]
    network = LaCTNetwork(ModelConfig.from_json(config))
    network.load_state_dict(
        {
            name.removeprefix("model."): tensor
            for name, tensor in tensors.items()
            if name.startswith("model.")
        }
    )
    network.set_newton_schulz_dtype(torch.float32)
    found = network(
        tensors["input.posed"], tensors["input.image"], tensors["target.posed"]
    )
    torch.testing.assert_close(found, tensors["forward"], atol=1e-4, rtol=0)


def test_turning_keeps_lengths_and_back_undoes_it() -> None:
    point = torch.randn(2, 5, 3, dtype=torch.float64)
    for turn, width in zip(
        turns(point, head_dim=HEAD, hidden_dim=HIDDEN), (HEAD, HIDDEN), strict=True
    ):
        x = torch.randn(2, 3, 5, width, dtype=torch.float64)
        turned = turn.apply(x)
        torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
        torch.testing.assert_close(turn.back(turned), x)
        assert (turned - x).abs().max() > 0.1


def test_products_depend_on_the_difference_of_points_alone() -> None:
    x, y, shift = torch.randn(3, 4, 3, dtype=torch.float64)
    q, _ = unit_turns(x)
    _, k = unit_turns(y)
    moved_q, _ = unit_turns(x + shift)
    _, moved_k = unit_turns(y + shift)
    torch.testing.assert_close((q * k).sum(-1), (moved_q * moved_k).sum(-1))


def test_points_are_on_their_rays_and_nearest_to_the_pivot() -> None:
    camera = orbit(
        3,
        radius=2.7,
        elevation_radians=0.4,
        hfov_radians=0.9,
        height=8,
        width=12,
    )
    posed = posed_rays(camera)
    pivot = torch.tensor([[0.3, -0.2, 0.1]])
    (points,) = ray_points(posed, pivot, patch_size=1)
    origin, direction = (
        part.flatten(-2).mT for part in posed[0, :, :6].split(3, dim=1)
    )
    across = torch.linalg.cross(points - origin, direction)
    assert across.abs().max() < 1e-5
    assert ((points - pivot) * direction).sum(-1).abs().max() < 1e-5


def test_a_patch_has_the_ray_of_its_middle() -> None:
    camera = orbit(
        2, radius=2.7, elevation_radians=0.0, hfov_radians=0.5, height=8, width=8
    )
    whole = ray_points(posed_rays(camera), None, patch_size=8)
    assert whole.norm(dim=-1).max() < 1e-5


def axes(directions: list[list[float]], centers: list[list[float]]) -> Camera:
    """Cameras at centres, looking along directions that are not vertical."""
    z = torch.nn.functional.normalize(torch.tensor(directions), dim=-1)
    down = torch.tensor([0.0, 0.0, -1.0]).expand_as(z)
    x = torch.nn.functional.normalize(torch.linalg.cross(down, z), dim=-1)
    top = torch.stack([x, torch.linalg.cross(z, x), z, torch.tensor(centers)], dim=-1)
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(len(z), 1, 4)
    return Camera(
        world_from_camera=torch.cat([top, bottom], dim=1),
        intrinsics=torch.tensor([10.0, 10.0, 4.0, 4.0]).expand(len(z), 4),
        height=8,
        width=8,
    )


def test_pivot_is_near_where_the_axes_meet() -> None:
    meet = torch.tensor([0.2, 0.1, -0.3])
    centers = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.2], [-1.0, 0.3, 0.5]]
    camera = axes([(meet - torch.tensor(c)).tolist() for c in centers], centers)
    assert (scene_pivot(camera) - meet).norm() < 0.01


@pytest.mark.parametrize(
    ("directions", "centers"),
    [
        ([[1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]),
        ([[1.0, 0.0, 0.0]] * 3, [[0.0, y, 0.0] for y in (-1.0, 0.0, 1.0)]),
        (
            [[math.cos(a), math.sin(a), 0.0] for a in (0.0, 2.0, 4.0)],
            [[math.cos(a), math.sin(a), 0.0] for a in (0.0, 2.0, 4.0)],
        ),
    ],
    ids=["one camera", "parallel", "outwards"],
)
def test_pivot_is_always_defined_and_near(
    directions: list[list[float]], centers: list[list[float]]
) -> None:
    pivot = scene_pivot(axes(directions, centers))
    assert torch.isfinite(pivot).all()
    assert pivot.norm() < 2


@pytest.mark.parametrize("width", [10, 15])
def test_heads_too_narrow_or_odd_are_refused(width: int) -> None:
    values = {"dim": width, "num_blocks": 1, "attention_head_dim": width}
    values |= {"fast_head_dim": width}
    assert ModelConfig(**values).fast_head_dim == width
    with pytest.raises(ConfigError, match=f"fast_head_dim is {width}: too few pairs"):
        ModelConfig(**values, fast_position="ray_point")


def test_a_network_without_positions_is_described_as_before() -> None:
    values = {"dim": 32, "num_blocks": 1, "fast_head_dim": 32}
    values |= {"attention_head_dim": 16}
    assert "fast_position" not in ModelConfig(**values).to_json()
    with_points = ModelConfig(**values, fast_position="ray_point")
    assert ModelConfig.from_json(with_points.to_json()) == with_points
