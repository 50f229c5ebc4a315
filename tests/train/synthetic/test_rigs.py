"""Where cameras stand: the ranges promised, and how views spread."""

from __future__ import annotations

import math

import torch

from nvs.train.synthetic import rigs
from nvs.train.synthetic.draws import Draws


def test_orbits_keep_to_their_ranges_and_favour_the_benchmark() -> None:
    poses, intrinsics = rigs.orbit(Draws(0, 400, stream=0), 12, height=64, width=64)
    center = poses[..., :3, 3]
    radius = center.norm(dim=-1)
    elevation = (center[..., 2] / radius).asin() * (180 / math.pi)
    hfov = 2 * (32 / intrinsics[..., 0]).atan() * (180 / math.pi)
    for value, (low, high) in (
        (radius, rigs.RADIUS_RANGE),
        (elevation, rigs.ELEVATION_RANGE_DEGREES),
        (hfov, rigs.HFOV_RANGE_DEGREES),
    ):
        assert low - 1e-6 <= value.min()
        assert value.max() <= high + 1e-6
        assert value.max() - value.min() > 0.9 * (high - low)
    plain = ((radius - rigs.BENCHMARK_RADIUS).abs() < 1e-9).all(-1)
    assert 0.4 < plain.double().mean() < 0.6
    assert (hfov[plain] - rigs.BENCHMARK_HFOV_DEGREES).abs().max() < 1e-6
    assert elevation[plain].min() >= 0
    assert elevation[plain].max() <= 60
    forward = poses[..., :3, 2]
    missed = torch.linalg.cross(forward, center).norm(dim=-1)
    assert missed.max() < 0.18
    assert missed[plain].max() < 1e-9


def test_first_views_surround_the_object() -> None:
    poses, _ = rigs.orbit(Draws(1, 100, stream=0), 8, height=64, width=64)
    azimuth = torch.atan2(poses[..., 1, 3], poses[..., 0, 3]).sort(dim=-1).values
    around = torch.cat([azimuth, azimuth[:, :1] + 2 * math.pi], dim=-1)
    assert around.diff(dim=-1).max() < math.pi / 2
