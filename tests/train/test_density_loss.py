"""Learning where surfaces are: what changes, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.errors import ConfigError
from nvs.train.batch import Order
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, check_view_counts, parse_mixture
from nvs.train.density_loss import DensityLoss
from nvs.train.distributed import Processes
from nvs.train.learner import Learner
from nvs.train.loop import Trainer
from nvs.train.sources import SyntheticSource, load

CPU = torch.device("cpu")
STAGES = [{"height": 16, "width": 16, "batch": 1, "inputs": [4], "targets": [2]}]
MakeConfig = Callable[..., TrainConfig]


def config_of(make_config: MakeConfig, **values: object) -> TrainConfig:
    model = make_config().to_json()["model"] | {"fast_position": "surface_point"}
    return make_config(model=model, stages=STAGES, **values)


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
    config = config_of(make_config, learns=learns, optimiser="muon", steps=1)
    before = Learner(config, Processes.alone(CPU)).network.state_dict()
    after = trained(config, objects, tmp_path).learner.network.state_dict()
    for name, weight in after.items():
        of_density = name.startswith("density_net.")
        changed = not torch.equal(weight, before[name])
        assert changed == (of_density == (learns == "density")), name


@pytest.mark.parametrize("kind", ["object", "room"])
def test_the_loss_falls(make_config: MakeConfig, kind: str) -> None:
    torch.manual_seed(0)
    config = config_of(make_config, learns="density", learning_rate=3e-3, steps=8)
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


def test_a_scene_none_of_whose_rays_meets_the_hull_has_no_loss(
    make_config: MakeConfig, objects: Mixture
) -> None:
    config = config_of(make_config, learns="density")
    ((_, order), *_) = objects.orders(config, 0, 0.0, rank=0, world=1)
    batch = load(objects.sources[0], order, CPU)
    assert batch.depth is not None
    grey = replace(batch, image=batch.image * 0 + 0.5)  # no white: no hull
    net = Learner(config, Processes.alone(CPU)).network.density_net
    assert net is not None
    loss = DensityLoss(net)(grey)
    loss.backward()
    assert loss == 0


def test_depth_is_made_only_where_it_is_wanted(
    make_config: MakeConfig, objects: Mixture
) -> None:
    config = config_of(make_config)
    ((_, order), *_) = objects.orders(config, 0, 0.0, rank=0, world=1)
    assert load(objects.sources[0], order, CPU).depth is None


def test_a_network_without_densities_cannot_learn_them(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(ConfigError, match=r"fast_position is none.*surface_point"):
        make_config(learns="density")


def test_posed_sets_do_not_say_how_far_things_are(
    make_config: MakeConfig, posed_set: Callable[..., Path]
) -> None:
    mixture = parse_mixture(f"synthetic:object=1,{posed_set()}=1", framing="none")
    check_view_counts(config_of(make_config), mixture)
    with pytest.raises(ConfigError, match="how far the surfaces of"):
        check_view_counts(config_of(make_config, learns="density"), mixture)
