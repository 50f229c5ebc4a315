"""The weights a worker serves, and scenes that do not fit them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.cameras import orbit
from nvs.errors import ConfigError, SceneFileError
from nvs.scene import PosedViews, Scene
from server.backends.settings import WorkerConfiguration
from server.worker.models import Model, find_model, load_models

CONFIGURATION = WorkerConfiguration(
    blobs_url="",
    disk_cache_folder=Path(),
    disk_cache_bytes=1,
    weights=("lact_tiny",),
    device="cpu",
    precision=None,
    threads=1,
    device_cache_bytes=1,
    host_cache_bytes=1,
    max_side_px=512,
    max_views=8,
)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_models(CONFIGURATION)["lact_tiny"]


@pytest.fixture(scope="module")
def scene(model: Model) -> Scene:
    camera = orbit(
        1, radius=2.7, elevation_radians=0.1, hfov_radians=0.9, height=8, width=8
    )
    views = PosedViews(image=torch.rand(1, 3, 8, 8), camera=camera, names=("a",))
    return model.renderer.prefill(views)


def test_the_size_of_a_scene_is_known_beforehand(model: Model, scene: Scene) -> None:
    assert scene.to(dtype=torch.float32).num_bytes == model.scene_bytes


def test_a_scene_that_fits_is_returned(model: Model, scene: Scene) -> None:
    assert model.check(scene) is scene


def test_scenes_that_do_not_fit_are_refused(model: Model, scene: Scene) -> None:
    blocks = scene.fast_weights
    with pytest.raises(SceneFileError, match="other weights than lact_tiny"):
        model.check(replace(scene, model_digest="other"))
    with pytest.raises(SceneFileError, match="do not fit lact_tiny"):
        model.check(replace(scene, fast_weights=blocks[1:]))
    narrow = tuple(tuple(w[:, :, 1:] for w in block) for block in blocks)
    with pytest.raises(SceneFileError, match="do not fit lact_tiny"):
        model.check(replace(scene, fast_weights=narrow))
    whole = tuple(tuple(w.to(torch.int32) for w in block) for block in blocks)
    with pytest.raises(SceneFileError, match="do not fit lact_tiny"):
        model.check(replace(scene, fast_weights=whole))


def test_what_is_not_served_is_refused_by_name(model: Model) -> None:
    with pytest.raises(ConfigError, match="'other' are not served"):
        find_model({"lact_tiny": model}, "other")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"device": "moon"}, "device 'moon' cannot be used"),
        ({"precision": "int1"}, "no precision 'int1'"),
        ({"weights": ("lact_tiny", "lact_tiny")}, "others called lact_tiny"),
    ],
)
def test_configurations_that_cannot_work(change: dict[str, str], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        load_models(replace(CONFIGURATION, **change))
