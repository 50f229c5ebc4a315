"""One training step: loss, gradient, update, running mean."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nvs.errors import TrainingError
from nvs.model import LaCTNetwork
from nvs.perceptual import Lpips
from nvs.scene.quality import psnr_db
from nvs.train import runtime, schedule
from nvs.train.batch import Batch, training_seed
from nvs.train.config import TrainConfig
from nvs.train.distributed import Processes
from nvs.train.losses import Loss, loss_of, perceptual_network
from nvs.train.optimisers import Optimisers, RunningMean
from nvs.train.state import TrainState

MAX_SKIPPED_IN_ROW = 50
DENSITY = "density_net."
DENSITY_LEFT_OUT_EVERY = 10
"""Steps: an object without white around has none, and must be rendered too."""


class Learner:
    """A network with everything that changes its weights.

    Args:
        config: The run.
        processes: This process among those that train together.
        initial: Weights to begin with instead of new ones.
        resumed: A checkpoint to go on from.

    Raises:
        MissingExtraError, WeightsUnavailableError: If the run wants LPIPS in vain.
    """

    def __init__(
        self,
        config: TrainConfig,
        processes: Processes,
        *,
        initial: Mapping[str, Tensor] | None = None,
        resumed: TrainState | None = None,
    ) -> None:
        self.config = config
        self.processes = processes
        network = runtime.build_network(config)
        network.set_newton_schulz_dtype(
            runtime.dtype(config.newton_schulz_dtype, processes)
        )
        if initial is not None:
            network.load_state_dict(_with_own_densities(initial, network))
        self.network = network.to(processes.device)
        self.mean = RunningMean(self.network)
        self.optimisers = Optimisers(self.network, config, processes)
        self.num_skipped = 0
        self.num_skipped_in_row = 0
        if resumed is not None:
            self.network.load_state_dict(dict(resumed.network))
            self.mean.network.load_state_dict(dict(resumed.mean))
            self.optimisers.load_state_dict(resumed.optimisers)
            self.num_skipped = resumed.num_skipped
            self.num_skipped_in_row = resumed.num_skipped_in_row
        self.perceptual: Lpips | None = None
        images = [stage for stage in config.stages if stage.learns == "images"]
        if config.lpips_weight > 0 and any(stage.lpips for stage in images):
            lpips = perceptual_network(config.lpips_backbone)
            self.perceptual = lpips.to(processes.device)
        self.forward: nn.Module = runtime.prepare(self.network, config, processes)
        self.density_loss: nn.Module | None = None
        if config.learns_density:
            self.density_loss = runtime.prepare_density(self.network, processes)

    def train_step(self, batch: Batch, step: int, progress: float) -> dict[str, float]:
        """Update the weights once: those of the densities by scenes with depth.

        Args:
            batch: This device's scenes, from `with_surfaces`.
            step: Steps done before.
            progress: Position in the run, which decides the learning rates.

        Returns:
            The metrics of the step.

        Raises:
            TrainingError: If the loss is not finite, or outliers do not end.
        """
        factor = schedule.learning_rate_factor(self.config, step, progress)
        self.optimisers.set_factor(factor)
        self.optimisers.zero_grad()
        lpips_weight = schedule.lpips_weight_at(self.config, step, progress)
        total, squared_error, lpips = self._backward(batch, lpips_weight, step)
        norm = torch.nn.utils.clip_grad_norm_(
            self.network.parameters(), self.config.clip_norm
        ).item()
        total, squared_error, lpips = self.processes.everyone.mean(
            [total, squared_error, lpips]
        )
        if not math.isfinite(total):
            raise TrainingError(
                f"the loss is {total} at step {step}",
                remedy="Resume from the last checkpoint with a lower learning rate, "
                "such as --set learning_rate="
                f"{self.config.learning_rate / 2:g}, or look at the data.",
            )
        if self._is_outlier(norm, step):
            self._skip(norm)
        else:
            self.num_skipped_in_row = 0
            self.optimisers.step()
            self.mean.update(self.network, schedule.ema_decay_at(self.config, step))
        return {
            "loss": total,
            "psnr_db": psnr_db(squared_error),
            "lpips": lpips,
            "learning_rate": factor * self.config.learning_rate,
            "gradient_norm": norm,
        }

    def _backward(
        self, batch: Batch, lpips_weight: float, step: int
    ) -> tuple[float, float, float]:
        """Gradients of the mean loss; the loss, its squared error and its LPIPS.

        One group of scenes after another, so that memory is that of one group.
        """
        batch, weight = self._own_views(batch)
        groups = batch.split(self.config.scenes_per_group)
        weight /= len(groups)
        sums = [0.0, 0.0, 0.0]
        for number, group in enumerate(groups):
            learns_density = group.depth is not None
            called = self.density_loss if learns_density else self.forward
            with runtime.last_exchanges(called, number + 1 == len(groups)):
                if learns_density:
                    loss = self._density_loss(group, step, number)
                else:
                    loss = self.loss(group, lpips_weight)
                (loss.total * weight).backward()
            lpips = math.nan if loss.lpips is None else loss.lpips.item()
            parts = (loss.total.item(), loss.squared_error.item(), lpips)
            sums = [a + b * weight for a, b in zip(sums, parts, strict=True)]
        total, squared_error, lpips = sums
        return total, squared_error, lpips

    def with_surfaces(self, batch: Batch, step: int) -> Batch:
        """A batch as `train_step` wants it at a step: with what surfaces are found."""
        left_out = batch.pivot is None and (step + 1) % DENSITY_LEFT_OUT_EVERY == 0
        finds = self.network.density_net is not None and batch.depth is None
        if not finds or left_out:
            return batch
        with runtime.autocast(self.config, self.processes, keeps_weights=False):
            return batch.with_surfaces(self.network)

    def _own_views(self, batch: Batch) -> tuple[Batch, float]:
        """What this process renders of a batch, and what its loss then counts.

        The losses of those that share a scene add up to its mean, and the mean over
        all processes is taken of what each has.
        """
        sharing = self.processes.views
        if sharing.size == 1 or batch.depth is not None:
            return batch, 1.0
        num_targets = batch.image.shape[1] - batch.num_inputs
        targets = sharing.part(num_targets, "target views")
        own = batch.of_views(sharing.part(batch.num_inputs, "input views"), targets)
        return own, sharing.size * len(targets) / num_targets

    def loss(self, batch: Batch, lpips_weight: float = 0.0) -> Loss:
        """The loss of the weights as they are."""
        with runtime.autocast(self.config, self.processes):
            return loss_of(
                self.forward(*batch.network_inputs()),
                batch.truth,
                chroma_weight=self.config.chroma_weight,
                lpips_weight=lpips_weight,
                perceptual=self.perceptual,
            )

    def _density_loss(self, batch: Batch, step: int, number: int) -> Loss:
        """The loss of the densities, of rays that depend on the scenes' group alone."""
        assert self.density_loss is not None, "ordered by a stage of the run"
        scenes = self.processes.scenes
        group = number * scenes.size + scenes.rank
        seed = training_seed(self.config.seed, "rays", step, group)
        with runtime.autocast(self.config, self.processes):
            total = self.density_loss(batch, seed)
        return Loss(total=total, squared_error=total * math.nan, lpips=None)

    def _is_outlier(self, norm: float, step: int) -> bool:
        late = step >= self.config.skip_after
        return not math.isfinite(norm) or (late and norm > self.config.skip_norm)

    def _skip(self, norm: float) -> None:
        self.num_skipped += 1
        self.num_skipped_in_row += 1
        if self.num_skipped_in_row >= MAX_SKIPPED_IN_ROW:
            raise TrainingError(
                f"{MAX_SKIPPED_IN_ROW} steps in a row were left out, the last with a "
                f"gradient norm of {norm:.3g}",
                remedy="Resume from an earlier checkpoint with a lower learning rate "
                "or a higher skip_norm.",
            )


def _with_own_densities(
    initial: Mapping[str, Tensor], network: LaCTNetwork
) -> dict[str, Tensor]:
    """Initial weights with the network of the densities that belongs to a network.

    It is the new one if they have none, and none if the network has none.
    """
    own = {n for n in network.state_dict() if n.startswith(DENSITY)}
    kept = {n: w for n, w in initial.items() if n in own or not n.startswith(DENSITY)}
    return {n: w for n, w in network.state_dict().items() if n in own} | kept
