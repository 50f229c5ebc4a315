from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nvs.cameras.se3 import (
    flip_y_and_z,
    hat,
    nearest_rigid,
    se3_exp,
    se3_interpolate,
    se3_inverse,
    se3_log,
    so3_about,
    so3_between,
    so3_exp,
    so3_log,
    so3_quaternion,
)

ANGLES = [0.0, 1e-300, 1e-12, 1e-8, 1e-4, 0.0999, 0.1001, 1.0, 3.0]
NEAR_PI = [math.pi - 1e-4, math.pi - 1e-8, math.pi - 1e-12, math.pi]


def axes(num: int = 30) -> Tensor:
    random = torch.randn(num, 3, dtype=torch.float64)
    random = torch.cat([random, torch.eye(3).double(), -torch.eye(3).double()])
    return torch.nn.functional.normalize(random, dim=-1)


def motions(num: int = 30) -> Tensor:
    return se3_exp(torch.randn(num, 6, dtype=torch.float64))


def test_hat_is_the_cross_product() -> None:
    w, v = torch.randn(2, 20, 3, dtype=torch.float64)
    torch.testing.assert_close(
        (hat(w) @ v[..., None])[..., 0], torch.linalg.cross(w, v)
    )


@pytest.mark.parametrize("angle", ANGLES + NEAR_PI)
def test_so3_exp_is_the_matrix_exponential(angle: float) -> None:
    w = axes() * angle
    torch.testing.assert_close(
        so3_exp(w), torch.linalg.matrix_exp(hat(w)), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("angle", ANGLES + NEAR_PI)
def test_a_turn_about_an_axis_is_the_exponential(angle: float) -> None:
    axis, turn = axes(), torch.tensor(angle).double()
    expected = so3_exp(axis * turn)
    torch.testing.assert_close(so3_about(axis, turn), expected, rtol=0, atol=1e-14)
    several = so3_about(axis[:, None], torch.stack([turn, -turn]))
    both = torch.stack([expected, expected.mT], dim=1)
    torch.testing.assert_close(several, both, rtol=0, atol=1e-14)


@pytest.mark.parametrize("angle", ANGLES)
def test_so3_log_undoes_exp(angle: float) -> None:
    w = axes() * angle
    torch.testing.assert_close(so3_log(so3_exp(w)), w, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("angle", ANGLES + NEAR_PI)
def test_so3_exp_undoes_log(angle: float) -> None:
    R = so3_exp(axes() * angle)
    w = so3_log(R)
    assert (w.norm(dim=-1) <= math.pi + 1e-15).all()
    torch.testing.assert_close(so3_exp(w), R, rtol=0, atol=1e-14)


def test_se3_exp_is_the_matrix_exponential() -> None:
    for angle in ANGLES + NEAR_PI:
        w, v = axes() * angle, torch.randn(36, 3, dtype=torch.float64)
        generator = torch.zeros(36, 4, 4, dtype=torch.float64)
        generator[:, :3, :3], generator[:, :3, 3] = hat(w), v
        torch.testing.assert_close(
            se3_exp(torch.cat([w, v], dim=-1)),
            torch.linalg.matrix_exp(generator),
            rtol=0,
            atol=1e-13,
        )


@pytest.mark.parametrize("angle", ANGLES)
def test_se3_log_undoes_exp(angle: float) -> None:
    twist = torch.cat([axes() * angle, torch.randn(36, 3, dtype=torch.float64)], dim=-1)
    torch.testing.assert_close(se3_log(se3_exp(twist)), twist, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("angle", NEAR_PI)
def test_se3_exp_undoes_log_near_half_a_turn(angle: float) -> None:
    T = se3_exp(torch.cat([axes() * angle, torch.randn(36, 3).double()], dim=-1))
    torch.testing.assert_close(se3_exp(se3_log(T)), T, rtol=0, atol=1e-12)


def test_group_axioms() -> None:
    a, b, c = motions(), motions(), motions()
    one = torch.eye(4, dtype=torch.float64).expand_as(a)
    torch.testing.assert_close((a @ b) @ c, a @ (b @ c), rtol=0, atol=1e-12)
    torch.testing.assert_close(a @ se3_inverse(a), one, rtol=0, atol=1e-13)
    torch.testing.assert_close(se3_inverse(a) @ a, one, rtol=0, atol=1e-13)
    torch.testing.assert_close(
        se3_inverse(a @ b), se3_inverse(b) @ se3_inverse(a), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(se3_exp(-se3_log(a)), se3_inverse(a), rtol=0, atol=1e-12)


def test_quaternions_are_of_half_the_angle() -> None:
    R = motions()[:, :3, :3]
    q, w = so3_quaternion(R), so3_log(R)
    half = w.norm(dim=-1, keepdim=True) / 2
    torch.testing.assert_close(q[:, :1], half.cos(), rtol=0, atol=1e-13)
    torch.testing.assert_close(
        q[:, 1:], w / (2 * half) * half.sin(), rtol=0, atol=1e-13
    )


def test_flipped_axes_keep_x_and_the_place_and_come_back() -> None:
    T = motions()
    flipped = flip_y_and_z(T)
    assert torch.equal(flipped[:, :, [0, 3]], T[:, :, [0, 3]])
    assert torch.equal(flipped[:, :, [1, 2]], -T[:, :, [1, 2]])
    assert torch.equal(flip_y_and_z(flipped), T)


def test_batch_shapes_are_kept() -> None:
    twist = torch.randn(2, 5, 6, dtype=torch.float64) / 3
    assert se3_log(se3_exp(twist)).shape == (2, 5, 6)
    assert so3_exp(twist[0, 0, :3]).shape == (3, 3)


def test_coefficients_have_no_step_and_finite_gradients_at_zero() -> None:
    twist = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    se3_exp(twist + 1e-9).sum().backward()
    assert twist.grad is not None
    assert torch.isfinite(twist.grad).all()


def test_interpolation_ends_at_its_ends_and_has_constant_speed() -> None:
    a, b = motions(), motions()
    for fraction, expected in [(0.0, a), (1.0, b)]:
        at = torch.full((len(a),), fraction, dtype=torch.float64)
        torch.testing.assert_close(
            se3_interpolate(a, b, at), expected, rtol=0, atol=1e-12
        )
    third = se3_interpolate(a, b, torch.full((len(a),), 1 / 3, dtype=torch.float64))
    torch.testing.assert_close(
        se3_log(se3_inverse(a) @ third),
        se3_log(se3_inverse(a) @ b) / 3,
        rtol=1e-10,
        atol=1e-10,
    )


def test_so3_between_turns_one_vector_into_the_other_by_the_least_angle() -> None:
    sources, targets = axes(), axes().flip(0)
    targets[:3], targets[3:6] = sources[:3], -sources[3:6]
    for source, target in zip(sources, targets, strict=True):
        R = so3_between(source, target)
        torch.testing.assert_close(R @ source, target, rtol=0, atol=1e-14)
        least = torch.acos((source @ target).clamp(-1, 1))
        torch.testing.assert_close(so3_log(R).norm(), least, rtol=0, atol=1e-7)


def test_nearest_rigid_repairs_float32_rotations_and_keeps_positions() -> None:
    T = motions().float().double()
    repaired = nearest_rigid(T)
    R = repaired[:, :3, :3]
    torch.testing.assert_close(
        R.mT @ R, torch.eye(3).double().expand_as(R), rtol=0, atol=1e-14
    )
    torch.testing.assert_close(repaired, T, rtol=0, atol=1e-6)
    assert torch.equal(repaired[:, :3, 3], T[:, :3, 3])
