"""The training loop: data in, steps, and what is due between them."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from nvs.errors import NvsError
from nvs.model.trained_on import TrainedOn
from nvs.train import heldout, runtime, schedule
from nvs.train.ahead import ahead
from nvs.train.batch import Batch
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture, batches, check_dealing, trained_on
from nvs.train.distributed import Processes
from nvs.train.learner import Learner
from nvs.train.report import Report
from nvs.train.schedule import Clock
from nvs.train.state import TrainState, random_state, restore_random_state, save_state


class Trainer:
    """A run: a learner and its data, advanced step by step.

    Args:
        config: The run.
        folder: Where checkpoints and reports go.
        mixture: Where scenes come from.
        processes: This process among those that train together.
        heldout_set: A posed set to look at beside the synthetic held-out scenes.
        initial: Weights to begin with instead of new ones.
        resumed: A checkpoint to go on from.
        started: `time.monotonic()` when the time budget began to count.
        quiet: Print nothing.

    Raises:
        ConfigError: If a stage cannot be shared out among the devices, or sources have
            different kinds of poses.
        MissingExtraError, WeightsUnavailableError: If the run wants LPIPS in vain.
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        *,
        mixture: Mixture,
        processes: Processes,
        heldout_set: heldout.HeldOutSet | None = None,
        initial: Mapping[str, Tensor] | None = None,
        resumed: TrainState | None = None,
        started: float | None = None,
        quiet: bool = False,
    ) -> None:
        check_dealing(config, processes)
        trained_on(config, mixture)  # refuses sources that do not mix
        self.config = config
        self.folder = folder
        self.mixture = mixture
        self.processes = processes
        self.heldout_set = heldout_set
        self.step = resumed.step if resumed else 0
        self.learner = Learner(config, processes, initial=initial, resumed=resumed)
        self.clock = Clock(
            config,
            elapsed_seconds=resumed.elapsed_seconds if resumed else 0.0,
            started=time.monotonic() if started is None else started,
        )
        if resumed is not None:
            restore_random_state(resumed.random)
        self.heldout: dict[str, Batch] = {}
        self.heldout_stage: int | None = None
        self.interrupted = False
        self.saved_step: int | None = self.step if resumed else None
        self.evaluated_step: int | None = None
        self.report = Report(
            folder,
            start=self.step,
            tensorboard=config.tensorboard and processes.is_first,
            quiet=quiet or not processes.is_first,
            writes=processes.is_first,
        )

    def run(self) -> None:
        """Train until the steps are done, the time is up or a signal asks to stop.

        Ends with a checkpoint and a held-out evaluation. `interrupted` is then whether
        a signal came before the run was done.

        Raises:
            TrainingError: If the loss is no longer finite; the last checkpoint stays.
            OutputError: If the disk is full; the last checkpoint stays.
        """
        begun_step = self.step
        stream = self._batches()
        if self.config.steps is not None or self.processes.everyone.size == 1:
            # Processes read a clock at the same step, or they disagree on the stage.
            stream = ahead(stream, self.processes.device)
        try:
            with _stop_signal() as stop, closing(stream):
                if self.processes.is_first:
                    self._prepare_heldout()
                window_started, window_tokens = time.monotonic(), 0
                while not self._is_over(stop):
                    begun = time.monotonic()
                    batch = self._next(stream)
                    metrics = self._advance(batch)
                    window_tokens += self._num_tokens(batch)
                    self.clock.took_step(time.monotonic() - begun)
                    if self.step % self.config.log_every == 0:
                        seconds = time.monotonic() - window_started
                        self._log(metrics, window_tokens / seconds, seconds)
                        window_started, window_tokens = time.monotonic(), 0
                    upkeep = time.monotonic()
                    self._keep_up()
                    window_started += time.monotonic() - upkeep
            if self.step == begun_step and not stop.is_set():
                self.report.say(
                    f"step {self.step}  nothing was left to train: give more --steps "
                    "or a longer --time-budget"
                )
            self._keep_up(last=True)
        finally:
            self.report.close()

    def state(self) -> TrainState:
        """The run as it is now."""
        return TrainState(
            config=self.config,
            step=self.step,
            elapsed_seconds=self.clock.now(),
            num_skipped=self.learner.num_skipped,
            num_skipped_in_row=self.learner.num_skipped_in_row,
            network=self.learner.network.state_dict(),
            mean=self.learner.mean.network.state_dict(),
            optimisers=self.learner.optimisers.state_dict(),
            random=random_state(),
        )

    @property
    def trained_on(self) -> TrainedOn:
        """What the weights were trained on: the stages that have been reached."""
        reached, _ = schedule.stage_at(self.config, self.clock.progress(self.step))
        stages = self.config.stages[: reached + 1]
        return trained_on(replace(self.config, stages=stages), self.mixture)

    def about(self) -> dict[str, Any]:
        """What is known about the weights, for an export."""
        return {
            "trained_on": self.trained_on.to_json(),
            "training": self.config.to_json(),
            "steps": self.step,
            "seconds": round(self.clock.now(), 1),
            "machine": runtime.machine(self.processes.device),
            "devices": self.processes.everyone.size,
        }

    def _batches(self) -> Generator[Batch]:
        """What the steps from this one on need."""
        made = batches(
            self.config,
            self.mixture,
            start=self.step,
            progress=self.clock.progress,
            processes=self.processes,
        )
        for step, batch in enumerate(made, start=self.step):
            yield self.learner.with_surfaces(batch, step)

    def _next(self, stream: Iterator[Batch]) -> Batch:
        """The next batch; if its data is damaged, the steps so far are saved first."""
        try:
            return next(stream)
        except NvsError:
            if self.processes.is_first and self.saved_step != self.step:
                save_state(self.folder, self.state())
            raise

    def _advance(self, batch: Batch) -> dict[str, float]:
        num_skipped = self.learner.num_skipped
        progress = self.clock.progress(self.step)
        metrics = self.learner.train_step(batch, self.step, progress)
        if self.learner.num_skipped > num_skipped:
            norm = metrics["gradient_norm"]
            self.report.say(f"step {self.step}  left out: gradient norm {norm:.3g}")
        self.step += 1
        return metrics

    def _is_over(self, stop: threading.Event) -> bool:
        elapsed, reserve = self.processes.everyone.of_first(self.clock.read())
        self.clock.set(elapsed, reserve)
        (stopped,) = self.processes.everyone.mean([float(stop.is_set())])
        is_over = self.clock.is_over(self.step)
        if stopped:
            self.report.say(f"step {self.step}  asked to stop")
            self.interrupted = not is_over
        return bool(stopped) or is_over

    def _keep_up(self, *, last: bool = False) -> None:
        """Write the checkpoint and the evaluation that are due."""
        if not self.processes.is_first:
            return
        begun = time.monotonic()
        due_checkpoint = last or self.step % self.config.checkpoint_every == 0
        if due_checkpoint and self.saved_step != self.step:
            save_state(self.folder, self.state())
            self.saved_step = self.step
        stage, _ = schedule.stage_at(self.config, self.clock.progress(self.step))
        renders = self.config.stages[stage].learns == "images"
        due_evaluation = renders and (
            last or self.step % self.config.heldout_every == 0
        )
        if due_evaluation and self.evaluated_step != self.step:
            self._evaluate()
            self.evaluated_step = self.step
        self.clock.took_upkeep(time.monotonic() - begun)

    def _prepare_heldout(self) -> int:
        """Make the held-out scenes of the stage; its index."""
        index, _ = schedule.stage_at(self.config, self.clock.progress(self.step))
        if index != self.heldout_stage:
            self.heldout_stage = index
            self.heldout = heldout.heldout_scenes(
                self.config,
                self.mixture,
                self.config.stages[index],
                self.heldout_set,
                self.processes.device,
            )
        return index

    def _evaluate(self) -> None:
        index = self._prepare_heldout()
        results = heldout.evaluate(
            self.learner.mean.network,
            self.heldout,
            runtime.autocast(self.config, self.processes),
        )
        self.report.heldout(self.step, index, self.clock.now(), results)

    def _log(
        self, metrics: dict[str, float], tokens_per_second: float, seconds: float
    ) -> None:
        if not self.processes.is_first:
            return
        progress = self.clock.progress(self.step)
        stage, _ = schedule.stage_at(self.config, progress)
        elapsed = self.clock.now()
        self.report.step(
            {
                "step": self.step,
                "seconds": round(elapsed, 1),
                "stage": stage,
                **{
                    key: "" if math.isnan(value) else round(value, 6)
                    for key, value in metrics.items()
                },
                "skipped": self.learner.num_skipped,
                "tokens_per_second": round(tokens_per_second),
            }
        )
        shown = f"PSNR {metrics['psnr_db']:.2f} dB"
        if math.isnan(metrics["psnr_db"]):  # a step of the densities
            shown = f"loss {metrics['loss']:.3f}"
        left = self.clock.seconds_left(self.step, seconds / self.config.log_every)
        self.report.say(
            f"step {self.step}  {progress:4.0%}  {shown}  "
            f"{tokens_per_second:,.0f} tokens/s  ETA {schedule.duration(left)}"
        )

    def _num_tokens(self, batch: Batch) -> int:
        scenes, views, _, height, width = batch.image.shape
        tokens_a_view = height * width // self.config.model.patch_size**2
        return scenes * views * tokens_a_view * self.processes.scenes.size


@contextmanager
def _stop_signal() -> Generator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that a step is never cut in two."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in signals}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
