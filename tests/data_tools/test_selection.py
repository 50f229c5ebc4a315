"""Selections: their definitions by brute force, and what every selection must obey."""

from __future__ import annotations

import math

import pytest
import torch

from nvs.cameras import Camera
from nvs.errors import ConfigError
from nvs_data import selection
from nvs_data.rigs import gso_rig, training_rig

ALL = [selection.k_means, selection.farthest_point, selection.uniform, selection.random]


@pytest.mark.parametrize("select", ALL)
@pytest.mark.parametrize("count", [1, 7, 32])
def test_selection_is_increasing_unique_and_repeatable(select, count):
    camera = training_rig(seed=3, num_views=32)
    chosen = select(camera, count)
    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0]
    assert chosen[-1] < 32
    assert chosen == select(camera, count)
    assert len(chosen) == count


@pytest.mark.parametrize("select", ALL)
@pytest.mark.parametrize("count", [0, 33])
def test_impossible_count_is_refused(select, count):
    with pytest.raises(ConfigError, match=f"cannot choose {count} of 32"):
        select(training_rig(seed=3, num_views=32), count)


def test_k_means_takes_one_view_of_each_well_separated_group():
    rig = training_rig(seed=0, num_views=40)
    poses = rig.world_from_camera.clone()
    group = torch.arange(40) % 5
    direction = torch.nn.functional.normalize(torch.randn(5, 3), dim=-1)
    poses[:, :3, 2] = direction[group]
    poses[:, :3, 3] = 100 * group[:, None] + 0.01 * torch.randn(40, 3)
    camera = Camera(
        world_from_camera=poses, intrinsics=rig.intrinsics, height=512, width=512
    )
    chosen = selection.k_means(camera, 5)
    assert sorted(group[chosen].tolist()) == [0, 1, 2, 3, 4]
    for view in chosen:
        members = (group == group[view]).nonzero()[:, 0]
        offset = camera.center[members] - camera.center[members].mean(dim=0)
        assert members[offset.norm(dim=-1).argmin()] == view


def test_k_means_looks_at_the_forward_axis_too():
    camera = gso_rig()[[0, 4, 8, 12]]
    poses = camera.world_from_camera.clone()
    poses[:, :3, 3] = 0
    same_place = Camera(
        world_from_camera=poses, intrinsics=camera.intrinsics, height=8, width=8
    )
    assert selection.k_means(same_place, 4) == [0, 1, 2, 3]


def test_farthest_point_is_greedy_and_within_twice_the_best():
    camera = training_rig(seed=1, num_views=12)
    distance = torch.cdist(camera.center, camera.center)

    def radius(chosen):
        return float(distance[:, list(chosen)].min(dim=1).values.max())

    best = min(radius(t) for t in torch.combinations(torch.arange(12), 3).tolist())
    assert radius(selection.farthest_point(camera, 3)) <= 2 * best
    chosen = selection.farthest_point(camera, 4)
    smaller = set(selection.farthest_point(camera, 3))
    assert smaller < set(chosen)


def test_farthest_point_covers_better_than_random_and_handles_repeated_centres():
    camera = gso_rig()
    distance = torch.cdist(camera.center, camera.center)
    radius = [
        float(distance[:, chosen].min(dim=1).values.max())
        for chosen in (
            selection.farthest_point(camera, 8),
            selection.random(camera, 8),
        )
    ]
    assert radius[0] < radius[1]
    assert selection.farthest_point(camera[[5] * 6], 6) == [0, 1, 2, 3, 4, 5]


def test_uniform_keeps_ends_and_spacing():
    chosen = selection.uniform(gso_rig(), 10)
    assert chosen[0] == 0
    assert chosen[-1] == 63
    gaps = torch.tensor(chosen).diff()
    assert gaps.min() >= math.floor(63 / 9)
    assert gaps.max() <= math.ceil(63 / 9)


def test_random_depends_on_the_seed():
    rig = gso_rig()
    assert selection.random(rig, 8, seed=1) != selection.random(rig, 8, seed=2)
