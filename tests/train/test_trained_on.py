"""What runs record of their data in the weights they export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nvs.cameras import Camera
from nvs.errors import ConfigError
from nvs.model.checkpoint import load_checkpoint
from nvs.model.trained_on import TrainedOn
from nvs.model.weights import load_weights
from nvs.train import session
from nvs.train.batch import Order
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, parse_mixture, trained_on
from nvs.train.sources import SyntheticSource, load

MakeConfig = Callable[..., TrainConfig]


def record(config: TrainConfig) -> TrainedOn:
    return trained_on(config, parse_mixture(config.data, framing=config.framing))


def stage(height: int, width: int, *inputs: int) -> dict[str, Any]:
    size = {"height": height, "width": width}
    return size | {"batch": 2, "inputs": list(inputs), "targets": [1]}


def test_stages_give_sizes_and_numbers_of_inputs(make_config: MakeConfig) -> None:
    stages = [stage(16, 16, 2, 3), stage(16, 16, 1), stage(16, 32, 4, 6)]
    found = record(make_config(stages=stages))
    assert found.sizes == ((16, 16), (16, 32))
    assert found.num_inputs == (1, 6)


def draw(kind: str, seed: int) -> Camera:
    source = SyntheticSource(kind)
    order = Order(
        seed=seed, num_scenes=8, num_inputs=4, num_targets=4, height=16, width=24
    )
    batch = load(source, order, torch.device("cpu"))
    return Camera(
        world_from_camera=batch.world_from_camera.flatten(0, 1).double(),
        intrinsics=batch.intrinsics.flatten(0, 1).double(),
        height=16,
        width=24,
    )


@pytest.mark.parametrize("kind", ["object", "room"])
def test_synthetic_cameras_are_as_recorded(make_config: MakeConfig, kind: str) -> None:
    found = record(make_config(data=f"synthetic:{kind}=1"))
    assert found.poses == ("object" if kind == "object" else "scene")
    assert found.background == ("white" if kind == "object" else "any")
    camera = Camera.cat([draw(kind, seed) for seed in range(2)])

    def assert_within(values: torch.Tensor, span: tuple[float, float] | None) -> None:
        assert span is not None
        assert span[0] - 1e-3 <= values.min()
        assert values.max() <= span[1] + 1e-3

    assert_within(camera.hfov_radians.rad2deg(), found.hfov_degrees)
    if kind == "object":
        distance = camera.center.norm(dim=-1)
        assert_within(distance, found.distance)
        height = camera.center[:, 2] / distance
        assert_within(height.asin().rad2deg(), found.elevation_degrees)
    else:
        assert found.distance is found.elevation_degrees is None


@pytest.mark.parametrize(
    ("framing", "poses"),
    [("none", "object"), ("object", "object"), ("mean_camera", "scene")],
)
def test_of_posed_sets_little_is_known(
    make_config: MakeConfig, posed_set: Callable[..., Path], framing: str, poses: str
) -> None:
    found = record(make_config(data=f"{posed_set()}=1", framing=framing))
    assert found == TrainedOn(poses=poses, sizes=((16, 16),), num_inputs=(2, 3))  # pyright: ignore


def test_a_mixture_knows_no_more_than_each_source(
    make_config: MakeConfig, posed_set: Callable[..., Path]
) -> None:
    folder = posed_set()
    found = record(make_config(data=f"synthetic:object=1,{folder}=1"))
    assert found == TrainedOn(poses="object", sizes=((16, 16),), num_inputs=(2, 3))
    data = f"synthetic:room=1,{folder}=1"
    found = record(make_config(data=data, framing="mean_camera"))
    assert (found.poses, found.hfov_degrees) == ("scene", None)


@pytest.mark.parametrize(
    ("data", "framing"),
    [
        ("synthetic:object=1,synthetic:room=1", "none"),
        ("synthetic:object=1,SET=1", "mean_camera"),
        ("synthetic:room=1,SET=1", "none"),
        ("SET=1,synthetic:room=1", "object"),
    ],
)
def test_object_and_scene_poses_do_not_mix(
    make_config: MakeConfig,
    posed_set: Callable[..., Path],
    tmp_path: Path,
    data: str,
    framing: str,
) -> None:
    values = {"data": data.replace("SET", str(posed_set())), "framing": framing}
    with pytest.raises(
        ConfigError, match=r"object poses and .* scene poses\. Train on one kind"
    ):
        session.train(
            tmp_path / "run", values=make_config(**values).to_json(), quiet=True
        )


@pytest.mark.parametrize("shard_bytes", [None, 40_000])
def test_exports_carry_the_record(
    make_config: MakeConfig, tmp_path: Path, shard_bytes: int | None
) -> None:
    out, folder = tmp_path / "run", tmp_path / "rooms"
    stages = [stage(16, 16, 2), stage(16, 24, 3)]
    values = make_config(data="synthetic:room=1", steps=2, stages=stages).to_json()
    trained = session.train(
        out, values=values, export=folder, shard_bytes=shard_bytes, quiet=True
    )
    assert (folder / "weights.json").exists() == (shard_bytes is not None)
    found = load_weights(str(folder))
    assert found.trained_on == trained.trained_on
    assert found.trained_on.poses == "scene"
    assert found.trained_on.default_size == 24
    assert "poses" not in found.checkpoint.about, "it is said once"


def test_training_can_begin_from_registered_names(
    make_config: MakeConfig, painted: Mixture, tmp_path: Path
) -> None:
    digest = load_weights("lact_small").checkpoint.digest
    values = make_config(steps=1, model=load_weights().checkpoint.config.to_json())
    trained = session.train(
        tmp_path / "run",
        values=values.to_json(),
        init="lact_small",
        mixture=painted,
        export=tmp_path / "weights",
        quiet=True,
    )
    assert trained.config.initial_digest == digest
    about = load_checkpoint(tmp_path / "weights").about
    assert about["training"]["initial_digest"] == digest


def test_names_to_begin_from_are_checked(
    make_config: MakeConfig, painted: Mixture, tmp_path: Path
) -> None:
    from nvs.errors import CheckpointError, WeightsUnavailableError

    values = make_config().to_json()
    options: dict[str, Any] = {"values": values, "mixture": painted, "quiet": True}
    with pytest.raises(WeightsUnavailableError, match=r"'lact_tony'.*lact_small"):
        session.train(tmp_path / "run", init="lact_tony", **options)
    with pytest.raises(CheckpointError, match="holds another network: dim is "):
        session.train(tmp_path / "run", init="lact_small", **options)
