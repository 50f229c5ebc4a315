"""Learning where surfaces are: what changes, what is refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.errors import ConfigError
from nvs.train import session
from nvs.train.batch import Order
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, check_sources, parse_mixture
from nvs.train.density_loss import DensityLoss
from nvs.train.distributed import Processes
from nvs.train.learner import Learner
from nvs.train.loop import Trainer
from nvs.train.presets import preset
from nvs.train.sources import SyntheticSource, load

CPU = torch.device("cpu")
STAGE = {"height": 16, "width": 16, "batch": 1, "inputs": [4], "targets": [2]}
MakeConfig = Callable[..., TrainConfig]


def config_of(make_config: MakeConfig, *learns: str, **values: object) -> TrainConfig:
    """A run with a stage of each kind."""
    model = make_config().to_json()["model"] | {"fast_position": "surface_point"}
    stages = [STAGE | {"learns": kind} for kind in learns or ["density"]]
    return make_config(model=model, stages=stages, **values)


def trained(config: TrainConfig, mixture: Mixture, folder: Path) -> Trainer:
    processes = Processes.alone(CPU)
    trainer = Trainer(config, folder, mixture=mixture, processes=processes, quiet=True)
    trainer.run()
    return trainer


@pytest.fixture(scope="module")
def objects() -> Mixture:
    return Mixture(sources=[SyntheticSource("object")], weights=[1.0])


@pytest.mark.parametrize("learns", ["density", "images"])
def test_each_network_is_trained_alone(
    make_config: MakeConfig,
    objects: Mixture,
    tmp_path: Path,
    learns: str,
) -> None:
    config = config_of(make_config, learns, optimiser="muon", steps=1)
    before = Learner(config, Processes.alone(CPU)).network.state_dict()
    after = trained(config, objects, tmp_path).learner.network.state_dict()
    for name, weight in after.items():
        of_density = name.startswith("density_net.")
        changed = not torch.equal(weight, before[name])
        assert changed == (of_density == (learns == "density")), name


@pytest.mark.parametrize("kind", ["object", "room"])
def test_the_loss_falls(make_config: MakeConfig, kind: str) -> None:
    torch.manual_seed(0)
    config = config_of(make_config, learning_rate=3e-3, steps=8)
    learner = Learner(config, Processes.alone(CPU))
    order = Order(
        seed=6,
        num_scenes=1,
        num_inputs=4,
        num_targets=2,
        height=16,
        width=16,
        with_depth=True,
    )
    batch = load(SyntheticSource(kind), order, CPU)
    losses = [learner.train_step(batch, step, 0.0)["loss"] for step in range(8)]
    assert losses[-1] < 0.95 * losses[0]


def test_a_run_learns_densities_first_and_images_then(
    make_config: MakeConfig, objects: Mixture, tmp_path: Path
) -> None:
    config = config_of(make_config, "density", "images", steps=2)
    before = Learner(config, Processes.alone(CPU)).network.state_dict()
    trainer = trained(config, objects, tmp_path)
    after = trainer.learner.network.state_dict()
    assert not any(torch.equal(after[name], before[name]) for name in before)
    assert trainer.trained_on.num_inputs == (4, 4)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["psnr_db"] != "" for row in rows] == [False, True]


def test_presets_learn_densities_if_their_network_has_any() -> None:
    assert preset("tiny", {"steps": 5}).learns_density
    other = preset("tiny", {"steps": 5, "model.fast_position": "ray_point"})
    assert not other.learns_density


def test_weights_that_know_no_surfaces_are_not_trained_on_them(
    make_config: MakeConfig, objects: Mixture, tmp_path: Path
) -> None:
    values = config_of(make_config, "images").to_json()
    with pytest.raises(ConfigError, match="nothing teaches these weights where"):
        session.train(tmp_path / "run", values=values, mixture=objects)


def test_a_scene_none_of_whose_rays_meets_the_hull_has_no_loss(
    make_config: MakeConfig, objects: Mixture
) -> None:
    config = config_of(make_config)
    ((_, order), *_) = objects.orders(config, 0, 0.0, rank=0, world=1)
    batch = load(objects.sources[0], order, CPU)
    assert batch.depth is not None
    grey = replace(batch, image=batch.image * 0 + 0.5)  # no white: no hull
    net = Learner(config, Processes.alone(CPU)).network.density_net
    assert net is not None
    loss = DensityLoss(net)(grey, seed=0)
    loss.backward()
    assert loss == 0


def test_depth_is_made_only_where_it_is_wanted(
    make_config: MakeConfig, objects: Mixture
) -> None:
    config = config_of(make_config, "density", "images")
    for progress, wanted in ((0.0, True), (0.9, False)):
        ((_, order), *_) = objects.orders(config, 0, progress, rank=0, world=1)
        batch = load(objects.sources[0], order, CPU)
        assert (batch.depth is not None) == wanted


def test_a_network_without_densities_cannot_learn_them(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(ConfigError, match=r"fast_position is none.*surface_point"):
        make_config(stages=[STAGE | {"learns": "density"}])


def test_posed_sets_do_not_say_how_far_things_are(
    make_config: MakeConfig, posed_set: Callable[..., Path]
) -> None:
    mixture = parse_mixture(f"synthetic:object=1,{posed_set()}=1", framing="none")
    check_sources(config_of(make_config, "images"), mixture)
    with pytest.raises(ConfigError, match="how far the surfaces of"):
        check_sources(config_of(make_config), mixture)
