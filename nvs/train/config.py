"""What a training run is: one frozen configuration, saved in every checkpoint."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nvs.cameras.normalisation import Kind
from nvs.config import ModelConfig
from nvs.errors import ConfigError
from nvs.fields import Cast, is_list_of, require, typed

Optimiser = Literal["adamw", "muon"]
Decay = Literal["cosine", "tail"]
Precision = Literal["auto", "float32", "bfloat16"]
Learns = Literal["images", "density"]

KEY = "training key"

POSITIVE = (
    *("steps", "time_budget_seconds", "scenes_per_group", "learning_rate"),
    *("muon_learning_rate", "patch_learning_rate", "chroma_weight", "clip_norm"),
    *("skip_norm", "log_every"),
    *("checkpoint_every", "heldout_every", "heldout_inputs", "heldout_targets"),
)
NOT_NEGATIVE = (
    *("seed", "weight_decay", "warmup_steps", "skip_after", "lpips_weight"),
    *("lpips_from", "heldout_scenes"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A stretch of training at one resolution.

    Raises:
        ConfigError: If a value cannot work, naming the key, the value and the remedy.
    """

    share: float = 1.0
    """Length as a share of all stages' shares together."""
    height: int
    """Image height in pixels."""
    width: int
    """Image width in pixels."""
    batch: int
    """Scenes a step, over all devices."""
    inputs: tuple[int, ...]
    """Numbers of input views to draw from, evenly, one draw a step."""
    targets: tuple[int, ...] = ()
    """Numbers of target views to draw from."""
    views: int | None = None
    """Instead of `targets`: inputs and targets together, so that what is not an input
    is a target."""
    repeated: int = 0
    """Input views, at most, that are targets once more beside those numbers. What a
    view shows is learned sooner from them than from views between the inputs."""
    field_of_view: float = 1.0
    """Share of a photograph's side that a centre crop keeps (posed sets only)."""
    baseline: tuple[float, float] = (1.0, 1.0)
    """Share of a set's views, those around a random one, that views are drawn from:
    at the start and at the end of the stage (posed sets only)."""
    lpips: bool = True
    """Whether the perceptual loss counts here, if the run has one."""
    learns: Learns = "images"
    """What changes: the network of the densities alone, by the depth of synthetic
    scenes, or all but that, by how rendered images look."""

    def __post_init__(self) -> None:
        for key in ("share", "height", "width", "batch"):
            value = getattr(self, key)
            require(value > 0, f"stages.{key}", value, "It must be positive.")
        remedy = "Give one or more positive whole numbers."
        fits = bool(self.inputs) and min(self.inputs) > 0
        require(fits, "stages.inputs", self.inputs, remedy)
        if self.views is None:
            fits = bool(self.targets) and min(self.targets) > 0
            require(fits, "stages.targets", self.targets, f"{remedy[:-1]}, or views.")
        else:
            remedy = "Leave it out where views is given: the rest are targets."
            require(not self.targets, "stages.targets", self.targets, remedy)
            remedy = "It must be more than the largest of inputs."
            fits = self.views > max(self.inputs)
            require(fits, "stages.views", self.views, remedy)
        remedy = "It must not be negative."
        require(self.repeated >= 0, "stages.repeated", self.repeated, remedy)
        for key in ("field_of_view", "baseline"):
            value = getattr(self, key)
            shares = value if isinstance(value, tuple) else (value,)
            require(
                all(0 < share <= 1 for share in shares),
                f"stages.{key}",
                value,
                "It must be above 0 and at most 1.",
            )

    @property
    def view_counts(self) -> list[tuple[int, int]]:
        """Every pair of numbers of input and target views that a step may draw."""
        if self.views is not None:
            return [(count, self.views - count) for count in self.inputs]
        return list(itertools.product(self.inputs, self.targets))


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Everything that decides what a run computes, and how often it reports.

    Raises:
        ConfigError: If a value cannot work, naming the key, the value and the remedy.
    """

    model: ModelConfig
    """The network."""
    preset: str = "custom"
    """Where the values come from."""
    seed: int = 0
    """Decides the initial weights and all data."""
    initial_digest: str | None = None
    """Digest of the weights that the run began with, recorded by it; new ones if
    absent."""
    steps: int | None = None
    """Length of the run in steps; its schedules are then a function of the step."""
    time_budget_seconds: float | None = None
    """With `steps`: most seconds a session may last. Without: length of the run."""
    data: str = "synthetic:object=1"
    """Sources and their weights, `source=weight` joined by commas."""
    photographs: str | None = None
    """Folder of photographs that some synthetic surfaces wear."""
    framing: Kind = "none"
    """How posed sets are brought into the model's space, by their input views."""
    stages: tuple[Stage, ...]
    """What is trained on, one after another."""
    scenes_per_group: int = 1
    """Scenes made together; whole groups are dealt to the devices."""

    optimiser: Optimiser = "adamw"
    """AdamW for everything, or Muon for the matrices."""
    learning_rate: float
    """Peak learning rate of AdamW."""
    muon_learning_rate: float = 0.02
    """Peak learning rate of Muon."""
    patch_learning_rate: float = 0.02
    """Peak learning rate of Muon for the two matrices between patches and tokens."""
    weight_decay: float = 0.05
    """Decay of matrices; vectors have none."""
    warmup_steps: int
    """Steps over which the learning rates rise from zero."""
    decay: Decay = "cosine"
    """Cosine over the whole run, or linear over its last `decay_share`."""
    decay_share: float = 0.3
    """Share of the run that `decay="tail"` decays over."""
    clip_norm: float = 1.0
    """Largest norm of the gradient of all weights together."""
    skip_norm: float = 4.0
    """Steps whose gradient norm was above this are left out, after `skip_after`."""
    skip_after: int = 1000
    """Steps before outliers are left out."""
    ema_decay: float = 0.999
    """Decay a step of the running mean of the weights that is evaluated, exported."""

    chroma_weight: float = 1.0
    """Weight of the part of an error that is not common to red, green and blue. Above 1
    colours are learned early; with 1 a short run stays grey."""
    lpips_weight: float = 0.0
    """Weight of the perceptual loss beside the mean squared error; 0 leaves it out."""
    lpips_from: int = 0
    """Step from which the perceptual loss counts."""
    lpips_backbone: str | None = None
    """File with the VGG-16 weights; else as `nvs.perceptual.backbones` says."""

    precision: Precision = "auto"
    """Precision of autocast; `auto` is bfloat16 where the device is faster in it,
    measured at the start of every session, and float32 elsewhere."""
    newton_schulz_dtype: Precision = "auto"
    """Precision of the orthogonalisation inside the network and of Muon's."""
    compile: bool = True
    """Compile the block that all layers share, where there is a compiler."""
    activation_checkpointing: bool = False
    """Recompute each block's activations in the backward pass, always; on a CPU they
    are where they would not fit 2.5 GiB."""
    workers: int | None = 0
    """Processes that make data ahead, for each that trains; 0 makes it between the
    steps, null has one where a core is free for it."""

    log_every: int = 10
    """Steps between lines of progress."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""
    heldout_every: int = 1000
    """Steps between held-out evaluations, each with a picture."""
    heldout_scenes: int = 4
    """Synthetic scenes that are held out."""
    heldout_inputs: int = 8
    """Input views of a held-out scene."""
    heldout_targets: int = 4
    """Target views of a held-out scene."""
    tensorboard: bool = True
    """Write events for TensorBoard beside the CSV."""

    def __post_init__(self) -> None:
        if self.steps is None and self.time_budget_seconds is None:
            raise ConfigError(
                "neither steps nor a time budget is given",
                remedy="Say how long to train, such as --steps 2000 "
                "or --time-budget 90m.",
            )
        for key in POSITIVE:
            value = getattr(self, key)
            require(value is None or value > 0, key, value, "It must be positive.")
        for key in NOT_NEGATIVE:
            value = getattr(self, key)
            require(value >= 0, key, value, "It must not be negative.")
        remedy = "It must not be negative."
        require((self.workers or 0) >= 0, "workers", self.workers, remedy)
        remedy = "It must be in [0, 1), like 0.999."
        require(0 <= self.ema_decay < 1, "ema_decay", self.ema_decay, remedy)
        remedy = "It must be above 0 and at most 1."
        require(0 < self.decay_share <= 1, "decay_share", self.decay_share, remedy)
        require(bool(self.stages), "stages", [], "Give at least one stage.")
        for index, stage in enumerate(self.stages):
            self._check_stage(index, stage)

    def _check_stage(self, index: int, stage: Stage) -> None:
        for key in ("height", "width"):
            if getattr(stage, key) % self.model.patch_size:
                raise ConfigError(
                    f"stages[{index}].{key} is {getattr(stage, key)}",
                    remedy=f"It must be a multiple of {self.model.patch_size}, "
                    "the patch size.",
                )
        if stage.learns == "density" and not self.model.has_density:
            raise ConfigError(
                f"stages[{index}].learns is density, but fast_position is "
                f"{self.model.fast_position}: this network has none",
                remedy="Leave that stage out, or add --set "
                "model.fast_position=surface_point.",
            )
        if stage.batch % self.scenes_per_group:
            raise ConfigError(
                f"stages[{index}].batch is {stage.batch}, no multiple of "
                f"scenes_per_group = {self.scenes_per_group}",
                remedy="Choose a group size that divides the batch.",
            )

    @property
    def learns_density(self) -> bool:
        """Whether a stage does."""
        return any(stage.learns == "density" for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary of every field."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> TrainConfig:
        """The configuration a dictionary describes.

        Raises:
            ConfigError: If a key is unknown or missing, or a value cannot work.
        """
        return TrainConfig(**typed(TrainConfig, values, what=KEY, nested=NESTED))


def _stages(values: Sequence[Mapping[str, Any]]) -> tuple[Stage, ...]:
    return tuple(
        Stage(**typed(Stage, value, what=KEY, prefix="stages.")) for value in values
    )


NESTED: dict[Any, Cast] = {
    ModelConfig: (
        lambda value: isinstance(value, Mapping),
        ModelConfig.from_json,
        "Name a network or give its configuration.",
    ),
    tuple[Stage, ...]: (is_list_of(dict), _stages, "It must be a list of stages."),
}
