"""The weights a worker serves, and scenes that do not fit them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.cameras import Camera, orbit
from nvs.config import ModelConfig
from nvs.errors import ConfigError, SceneFileError
from nvs.model.checkpoint import random_checkpoint, save_checkpoint
from nvs.parallel.group import Group
from nvs.scene import PosedViews, Scene
from nvs_server.compute.making import build
from nvs_server.compute.models import Served, find_model, load_models
from nvs_server.compute.orders import BuildOrder
from nvs_server.compute.prepared import write_views
from nvs_server.settings import ComputeSettings


@pytest.fixture(scope="module")
def model() -> Served:
    return load_models(ComputeSettings(precision="float32", compile=False), "cpu")[
        "lact_small"
    ]


@pytest.fixture
def exported(tmp_path: Path) -> Served:
    """Weights in a folder, as training exports them."""
    config = ModelConfig(dim=32, num_blocks=1, attention_head_dim=16, fast_head_dim=32)
    folder = tmp_path / "mine"
    folder.mkdir()
    save_checkpoint(
        folder / "weights.safetensors",
        config,
        random_checkpoint(config).state,
        about={"trained_on": {"poses": "scene", "sizes": [[64, 64], [16, 24]]}},
    )
    (model,) = load_models(
        ComputeSettings(weights=str(folder), compile=False), "cpu"
    ).values()
    return model


def around(radius: float) -> Camera:
    return orbit(
        1, radius=radius, elevation_radians=0.1, hfov_radians=0.9, height=8, width=8
    )


@pytest.fixture(scope="module")
def scene(model: Served) -> Scene:
    views = PosedViews(image=torch.rand(1, 3, 8, 8), camera=around(2.7), names=("a",))
    return model.renderer.prefill(views)


def test_the_size_of_a_scene_is_known_beforehand(
    model: Served, scene: Scene, tmp_path: Path
) -> None:
    file = tmp_path / "a.scene"
    scene.save(file)
    compute = model.renderer.precision.compute
    placed = scene.to(dtype=compute).num_bytes
    assert placed <= model.scene_bytes(file.stat().st_size) <= placed + 2**14


def test_a_scene_that_fits_is_returned(model: Served, scene: Scene) -> None:
    assert model.check(scene) is scene


def test_scenes_that_do_not_fit_are_refused(model: Served, scene: Scene) -> None:
    blocks = scene.fast_weights
    with pytest.raises(SceneFileError, match="other weights than lact_small"):
        model.check(replace(scene, model_digest="other"))
    with pytest.raises(SceneFileError, match="do not fit lact_small"):
        model.check(replace(scene, fast_weights=blocks[1:]))
    narrow = tuple(tuple(w[:, :, 1:] for w in block) for block in blocks)
    with pytest.raises(SceneFileError, match="do not fit lact_small"):
        model.check(replace(scene, fast_weights=narrow))
    whole = tuple(tuple(w.to(torch.int32) for w in block) for block in blocks)
    with pytest.raises(SceneFileError, match="do not fit lact_small"):
        model.check(replace(scene, fast_weights=whole))


def test_exports_are_served_for_what_they_are(exported: Served) -> None:
    info = exported.info
    assert (info.id, info.poses) == ("mine", "scene")
    assert (info.trained_height, info.trained_width) == (16, 24)
    assert "scene poses, trained at 16×24" in info.description


def test_built_scenes_do_not_tell_where_the_weights_lie(
    exported: Served, tmp_path: Path
) -> None:
    views = PosedViews(
        image=torch.rand(2, 3, 8, 8),
        camera=Camera.cat([around(2.0), around(2.5)]),
        names=("a", "b"),
    )
    assert exported.renderer.prefill(views).weights_hint is not None
    write_views(tmp_path / "views", views)
    order = BuildOrder(
        views=tmp_path / "views",
        weights="mine",
        framing="none",
        output=tmp_path / "a.scene",
    )
    alone = Group.alone(torch.device("cpu"))
    build(exported, order, lambda *_: None, alone)
    scene = exported.check(Scene.load(order.output))
    assert scene.weights_hint is None
    assert str(tmp_path).encode() not in order.output.read_bytes()


def test_what_is_not_served_is_refused_by_name(model: Served) -> None:
    with pytest.raises(ConfigError, match="'other' are not served"):
        find_model({"lact_small": model}, "other")


@pytest.mark.parametrize(
    ("change", "device", "match"),
    [
        ({}, "moon", "device 'moon' cannot be used"),
        ({"precision": "int1"}, "cpu", "no precision 'int1'"),
        ({"weights": ("lact_small", "lact_small")}, "cpu", "others called lact_small"),
    ],
)
def test_settings_that_cannot_work(
    change: dict[str, str], device: str, match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        load_models(ComputeSettings(compile=False).model_copy(update=change), device)
