"""Datasets whose poses were stored otherwise than their layout says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nvs.cameras import Camera, orbit
from nvs.errors import CameraError, ConfigError
from nvs.scene.frames import Dataset, Frame

CONVENTIONS = ("opencv", "opengl", "inverted", "inverted-opengl")


def dataset(*, has_opengl_axes: bool = False) -> Dataset:
    camera = orbit(
        3, radius=2.7, elevation_radians=0.3, hfov_radians=0.9, height=6, width=9
    )
    frames = tuple(
        Frame(name=f"{i}.png", camera=camera[i], load=lambda: np.zeros((6, 9, 3)))
        for i in range(3)
    )
    return Dataset(frames=frames, has_opengl_axes=has_opengl_axes)


def poses(given: Dataset) -> torch.Tensor:
    return Camera.cat([frame.camera for frame in given.frames]).world_from_camera


def test_opengl_looks_the_other_way_from_the_same_place() -> None:
    own, flipped = (
        Camera.cat([frame.camera for frame in given.frames])
        for given in (dataset(), dataset().stored_as("opengl"))
    )
    assert torch.equal(flipped.forward, -own.forward)
    assert torch.equal(flipped.center, own.center)


@pytest.mark.parametrize("has_opengl_axes", [False, True])
@pytest.mark.parametrize("convention", ["opencv", "opengl"])
def test_twice_the_same_axes_are_nothing(
    convention: str, has_opengl_axes: bool
) -> None:
    own = dataset(has_opengl_axes=has_opengl_axes)
    again = own.stored_as(convention).stored_as(convention)
    assert torch.equal(poses(again), poses(own))


@given(has_opengl_axes=st.booleans(), stored_opengl=st.booleans())
def test_inverted_gives_back_what_was_stored_the_other_way(
    has_opengl_axes: bool, stored_opengl: bool
) -> None:
    """A file has the inverses of poses, in its own or in other axes."""
    own = dataset(has_opengl_axes=has_opengl_axes)
    axes = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
    stored = poses(own) @ axes if stored_opengl else poses(own)
    file = torch.linalg.inv(stored)
    read = file @ axes if has_opengl_axes else file  # as its reader takes them
    frames = tuple(
        replace(frame, camera=replace(frame.camera, world_from_camera=pose[None]))
        for frame, pose in zip(own.frames, read, strict=True)
    )
    convention = "inverted-opengl" if stored_opengl else "inverted"
    right = replace(own, frames=frames).stored_as(convention)
    torch.testing.assert_close(poses(right), poses(own))


def test_bad_numbers_stay_and_mistakes_are_named() -> None:
    own = dataset()
    own.frames[1].camera.world_from_camera[0, 1, 3] = torch.nan
    for convention in CONVENTIONS:
        found = torch.isnan(poses(own.stored_as(convention))).nonzero().tolist()
        assert found == [[1, 1, 3]]
    with pytest.raises(ConfigError, match="convention is 'w2c'"):
        own.stored_as("w2c")
    own.frames[0].camera.world_from_camera[:] = 0
    with pytest.raises(CameraError, match=r"pose of 0\.png cannot be inverted"):
        own.stored_as("inverted")
