"""Laws of the training loop: it learns, and stopping it changes nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nvs.errors import CheckpointError, ImageError, OutputError, TrainingError
from nvs.model import LaCTNetwork
from nvs.model.density_grid import quarter
from nvs.model.trained_on import TrainedOn
from nvs.scene.quality import psnr_db
from nvs.train import loop, runtime, schedule, session
from nvs.train.batch import Batch, Order
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, parse_mixture
from nvs.train.distributed import Processes
from nvs.train.learner import Learner
from nvs.train.loop import Trainer
from nvs.train.losses import Loss
from nvs.train.presets import preset
from nvs.train.sources import load
from nvs.train.state import list_states, load_state

MakeConfig = Callable[..., TrainConfig]
CPU = torch.device("cpu")
FIXED = [{"height": 16, "width": 16, "batch": 2, "inputs": [3], "targets": [2]}]


def trainer_of(
    config: TrainConfig, folder: Path, mixture: Mixture, **options: Any
) -> Trainer:
    processes = Processes.alone(CPU)
    return Trainer(
        config, folder, mixture=mixture, processes=processes, quiet=True, **options
    )


def one_batch(config: TrainConfig, mixture: Mixture) -> Batch:
    ((_, order), *_) = mixture.orders(config, 0, 0.0, rank=0, world=1)
    return load(mixture.sources[0], order, CPU)


def assert_equal_runs(left: Trainer, right: Trainer) -> None:
    assert left.step == right.step
    for name, one, other in (
        ("weights", left.learner.network, right.learner.network),
        ("mean", left.learner.mean.network, right.learner.mean.network),
    ):
        for key, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[key]), f"{name} {key}"


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    make_config: MakeConfig, painted: Mixture, tmp_path: Path, optimiser: str
) -> None:
    config = make_config(optimiser=optimiser)
    whole = trainer_of(config, tmp_path / "whole", painted)
    whole.run()

    killed = trainer_of(config, tmp_path / "killed", painted)
    train_step = killed.learner.train_step

    def dies_in_step_5(batch: Batch, step: int, progress: float) -> dict[str, float]:
        if step == 5:
            raise KeyboardInterrupt
        return train_step(batch, step, progress)

    killed.learner.train_step = dies_in_step_5
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    last = list_states(tmp_path / "killed")[-1]
    assert last.name == "checkpoint-00000004.pt"
    resumed = trainer_of(config, tmp_path / "killed", painted, resumed=load_state(last))
    assert resumed.step == 4
    resumed.run()
    assert_equal_runs(whole, resumed)
    for run in ("whole", "killed"):
        lines = (tmp_path / run / "metrics.csv").read_text().splitlines()
        assert [line.split(",")[0] for line in lines[1:]] == list("123456")


def test_a_session_resumes_from_its_folder(
    make_config: MakeConfig, painted: Mixture, tmp_path: Path
) -> None:
    values = {k: v for k, v in make_config().to_json().items() if k != "preset"}
    options: dict[str, Any] = {"mixture": painted, "quiet": True, "device": CPU}
    whole = session.train(tmp_path / "whole", values=values, **options)
    half = tmp_path / "half"
    session.train(half, values=values | {"time_budget_seconds": 1e-3}, **options)
    with pytest.raises(
        OutputError, match=r"already holds a run .* Go on with --resume"
    ):
        session.train(half, values=values, **options)
    resumed = session.train(
        half, values={"time_budget_seconds": None}, resume=True, **options
    )
    assert resumed.step == 6
    assert_equal_runs(whole, resumed)
    with pytest.raises(
        CheckpointError, match="was started with preset tiny, not small"
    ):
        session.train(half, preset_name="small", resume=True, **options)
    with pytest.raises(CheckpointError, match="was started with optimiser = muon"):
        session.train(half, values={"optimiser": "adamw"}, resume=True, **options)


def test_it_learns(make_config: MakeConfig, painted: Mixture) -> None:
    config = make_config(stages=FIXED, warmup_steps=5, ema_decay=0.9)
    batch = one_batch(config, painted)
    learner = Learner(config, Processes.alone(CPU))
    psnr = [learner.train_step(batch, t, t / 80)["psnr_db"] for t in range(80)]
    assert psnr[0] < 17
    assert psnr[-1] > psnr[0] + 12
    with torch.no_grad():
        rendered = learner.mean.network(*batch.network_inputs())
    error = (rendered - batch.truth).square().mean().item()
    assert psnr_db(error) > psnr[0] + 12, "the running mean has learned too"


def test_densities_are_left_out_of_one_step_in_ten(
    make_config: MakeConfig, painted: Mixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_config().to_json()["model"] | {"fast_position": "surface_point"}
    config = make_config(stages=FIXED, model=model)
    batch = one_batch(config, painted)
    learner = Learner(config, Processes.alone(CPU))
    seen: list[bool] = []
    loss = learner.loss

    def watched(group: Batch, lpips_weight: float) -> Loss:
        seen.append(group.surface is not None)
        return loss(group, lpips_weight)

    def found(given: Batch, network: LaCTNetwork) -> Batch:
        side = quarter(network.config.patch_size)
        height, width = (pixels // side for pixels in given.image.shape[-2:])
        views = given.image.shape[:2]
        return replace(given, surface=torch.ones(*views, 2, height, width))

    monkeypatch.setattr(learner, "loss", watched)
    monkeypatch.setattr(Batch, "with_surfaces", found)
    for step in range(10):
        learner.train_step(learner.with_surfaces(batch, step), step, step / 10)
    per_step = len(seen) // 10
    assert seen == [True] * 9 * per_step + [False] * per_step


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_tiny_overfits_one_scene() -> None:
    """About five minutes of one CPU core."""
    stage = {"height": 64, "width": 64, "batch": 1, "inputs": [6], "targets": [4]}
    values = {"steps": 350, "stages": [stage], "lpips_weight": 0}
    config = preset("tiny", values | {"warmup_steps": 20})
    batch = one_batch(config, parse_mixture(config.data, framing="none"))
    learner = Learner(config, Processes.alone(CPU))
    psnr: list[float] = []
    for t in range(350):
        given = learner.with_surfaces(batch, t)
        psnr.append(learner.train_step(given, t, t / 350)["psnr_db"])
    assert psnr[-1] > 30


def test_joint_gradients_equal_those_through_prefill_and_render(
    make_config: MakeConfig, painted: Mixture
) -> None:
    config = make_config(stages=FIXED)
    batch = one_batch(config, painted)
    network = runtime.build_network(config)
    inputs, image, targets, *_ = batch.network_inputs()
    joint = network(inputs, image, targets)
    parts = network.render(network.prefill(inputs, image), targets)
    torch.testing.assert_close(joint, parts)
    weights = list(network.parameters())
    left = torch.autograd.grad((joint - batch.truth).square().mean(), weights)
    right = torch.autograd.grad((parts - batch.truth).square().mean(), weights)
    largest = max(gradient.abs().max().item() for gradient in left)
    for (name, _), one, other in zip(
        network.named_parameters(), left, right, strict=True
    ):
        scale = one.abs().max().item()
        assert scale > 0, name
        difference = (one - other).abs().max().item()
        assert difference < 1e-4 * scale + 1e-7 * largest, name


def test_recomputed_activations_change_no_gradient(
    make_config: MakeConfig, painted: Mixture
) -> None:
    gradients: list[dict[str, torch.Tensor]] = []
    for recompute in (False, True):
        config = make_config(stages=FIXED, activation_checkpointing=recompute)
        learner = Learner(config, Processes.alone(CPU))
        learner.loss(one_batch(config, painted)).total.backward()
        gradients.append(
            {
                n: p.grad
                for n, p in learner.network.named_parameters()
                if p.grad is not None
            }
        )
    plain, recomputed = gradients
    assert plain.keys() == recomputed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(recomputed[name], gradient, msg=name)


def test_groups_of_scenes_one_by_one_are_the_batch_at_once(
    make_config: MakeConfig, painted: Mixture
) -> None:
    """Also in what a step reports of its loss."""
    ends: list[dict[str, torch.Tensor]] = []
    losses: list[float] = []
    for scenes in (2, 1):
        stages = [{**FIXED[0], "batch": 2}]
        config = make_config(stages=stages, scenes_per_group=2)
        batch = one_batch(config, painted)
        learner = Learner(
            dataclasses.replace(config, scenes_per_group=scenes), Processes.alone(CPU)
        )
        losses.append(learner.train_step(batch, 0, 0.0)["loss"])
        ends.append(learner.network.state_dict())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, weight in ends[0].items():
        torch.testing.assert_close(weight, ends[1][name], atol=2e-4, rtol=0, msg=name)


def test_bfloat16_stays_near_float32(make_config: MakeConfig, painted: Mixture) -> None:
    """Loss within 2 %, and the whole gradient within 15 degrees."""
    losses, gradients = [], []
    for precision in ("float32", "bfloat16"):
        config = make_config(stages=FIXED, precision=precision)
        learner = Learner(config, Processes.alone(CPU))
        loss = learner.loss(one_batch(config, painted)).total
        loss.backward()
        losses.append(loss.item())
        flat = [p.grad.flatten() for p in learner.network.parameters()]
        gradients.append(torch.cat(flat))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]
    cosine = torch.nn.functional.cosine_similarity(*gradients, dim=0).item()
    assert cosine > math.cos(math.radians(15))


class Broken:
    """A source whose colours turn into NaN."""

    name = "broken"
    shows = TrainedOn()

    def __init__(self, mixture: Mixture, healthy: int) -> None:
        self.source = mixture.sources[0]
        self.healthy = healthy

    def prepare(self, order: Order) -> Batch:
        return load(self.source, order, CPU)

    def finish(self, batch: Batch, order: Order, device: torch.device) -> Batch:
        self.healthy -= 1
        if self.healthy < 0:
            batch.image.fill_(math.nan)
        return batch


def test_a_loss_that_is_not_finite_stops_the_run(
    make_config: MakeConfig, painted: Mixture, tmp_path: Path
) -> None:
    mixture = Mixture(sources=[Broken(painted, 3 * 2)], weights=[1.0])
    trainer = trainer_of(make_config(), tmp_path, mixture)
    with pytest.raises(TrainingError) as caught:
        trainer.run()
    assert caught.value.problem == "the loss is nan at step 3"
    assert "--set learning_rate=0.001" in caught.value.remedy
    assert load_state(list_states(tmp_path)[-1]).step == 2


def test_damaged_data_costs_no_steps(
    make_config: MakeConfig, painted: Mixture, tmp_path: Path
) -> None:
    class Damaged(Broken):
        def prepare(self, order: Order) -> Batch:
            if self.healthy == 0:
                raise ImageError("a.png is damaged", remedy="Replace it.")
            return super().prepare(order)

    mixture = Mixture(sources=[Damaged(painted, 3 * 2)], weights=[1.0])
    with pytest.raises(ImageError, match=r"a\.png"):
        trainer_of(make_config(), tmp_path, mixture).run()
    assert load_state(list_states(tmp_path)[-1]).step == 3


def test_outliers_are_left_out_and_too_many_stop_the_run(
    make_config: MakeConfig, painted: Mixture, tmp_path: Path
) -> None:
    config = make_config(skip_norm=1e-9, skip_after=2)
    batch = one_batch(config, painted)
    learner = Learner(config, Processes.alone(CPU))
    for step in range(2):
        learner.train_step(batch, step, 0.1)
    before = {n: t.clone() for n, t in learner.network.state_dict().items()}
    for step in range(2, 51):
        learner.train_step(batch, step, 0.1)
    assert learner.num_skipped == 49
    for name, tensor in learner.network.state_dict().items():
        assert torch.equal(tensor, before[name])
    state = trainer_of(config, tmp_path, painted).state()
    state = replace(state, num_skipped=49, num_skipped_in_row=49)
    resumed = Learner(config, Processes.alone(CPU), resumed=state)
    for each in (learner, resumed):
        with pytest.raises(TrainingError, match="50 steps in a row were left out"):
            each.train_step(batch, 51, 0.1)


def test_a_time_budget_ends_the_run_in_time(
    make_config: MakeConfig,
    painted: Mixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0

    def slowed(function: Callable[..., Any], seconds: list[float]) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal now
            now += seconds.pop(0) if len(seconds) > 1 else seconds[0]
            return function(*arguments, **options)

        return call

    for module in (loop, schedule):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(loop, "save_state", slowed(loop.save_state, [2.0]))
    config = make_config(steps=None, time_budget_seconds=24.0)
    trainer = trainer_of(config, tmp_path, painted)
    train_step = slowed(trainer.learner.train_step, [4.0, 3.0, 1.0])
    monkeypatch.setattr(trainer.learner, "train_step", train_step)
    trainer.run()
    assert 119 < now <= 124
    assert trainer.clock.progress(trainer.step) == 1
    assert load_state(list_states(tmp_path)[-1]).step == trainer.step


def test_the_seed_decides_the_initial_weights_and_nothing_else_does(
    make_config: MakeConfig,
) -> None:
    first = runtime.build_network(make_config())
    torch.manual_seed(123)
    second = runtime.build_network(make_config())
    other = runtime.build_network(make_config(seed=1))
    name = "blocks.0.lact.qkv.weight"
    assert torch.equal(first.state_dict()[name], second.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
