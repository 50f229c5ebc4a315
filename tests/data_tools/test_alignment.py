"""Alignment: exact on similar sets, optimal on noisy ones, undefined ones refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from nvs.cameras.se3 import so3_exp
from nvs.errors import CameraError
from nvs_data.alignment import align_similarity, pose_errors
from nvs_data.rigs import training_rig

AXIS = torch.tensor([0.3, -2.0, 1.1], dtype=torch.float64)
SHIFT = torch.tensor([5.0, -7.0, 0.1], dtype=torch.float64)


def similarity(scale=3.5):
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3], matrix[:3, 3] = scale * so3_exp(AXIS), SHIFT
    return matrix


def apply(matrix, points):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("count", [3, 4, 50])
def test_similar_points_give_back_the_similarity(count):
    points = torch.randn(count, 3, dtype=torch.float64)
    found = align_similarity(points, apply(similarity(), points))
    assert torch.allclose(found, similarity(), atol=1e-9)


def test_mirrored_points_are_met_by_a_rotation_not_a_reflection():
    points = torch.randn(20, 3, dtype=torch.float64)
    found = align_similarity(points, points * torch.tensor([1.0, 1.0, -1.0]))
    assert torch.linalg.det(found[:3, :3]) > 0


def test_no_similarity_nearby_is_better():
    source, target = torch.randn(2, 30, 3, dtype=torch.float64)
    found = align_similarity(source, target)
    least = (apply(found, source) - target).square().sum()
    for _ in range(50):
        turn, scale, shift = torch.randn(3), torch.randn(()), torch.randn(3)
        other = found.clone()
        other[:3, :3] = so3_exp(1e-3 * turn.double()) @ other[:3, :3]
        other[:3, :3] *= 1 + 1e-3 * scale
        other[:3, 3] += 1e-3 * shift
        assert (apply(other, source) - target).square().sum() >= least


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_points_are_refused(count):
    with pytest.raises(CameraError, match=f"cannot align {count} points"):
        align_similarity(torch.zeros(count, 3), torch.zeros(count, 3))


def test_points_on_a_line_are_refused():
    line = torch.arange(9.0)[:, None] * torch.tensor([[1.0, 2.0, 3.0]])
    with pytest.raises(CameraError, match="lie on one line"):
        align_similarity(line, torch.randn(9, 3))


def test_errors_vanish_for_similar_cameras_and_measure_a_turn():
    camera = training_rig(0, num_views=12).to(dtype=torch.float64)
    moved = similarity() @ camera.world_from_camera
    moved[:, :3, :3] /= 3.5
    reference = replace(camera, world_from_camera=moved)
    errors = pose_errors(camera, reference)
    assert errors.rotation_radians.max() < 1e-6
    assert errors.center_relative.max() < 1e-6
    for degrees in (0.01, 1.0, 170.0):
        turned = camera.world_from_camera.clone()
        turn = so3_exp(torch.tensor([0.0, math.radians(degrees), 0.0]).double())
        turned[3, :3, :3] = turned[3, :3, :3] @ turn
        errors = pose_errors(replace(camera, world_from_camera=turned), reference)
        assert errors.rotation_radians[3] == pytest.approx(
            math.radians(degrees), abs=1e-6
        )
        assert errors.rotation_radians[4] < 1e-6
