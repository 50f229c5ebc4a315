"""What a network is: one frozen configuration, its presets and its JSON form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from nvs.errors import ConfigError
from nvs.fields import require, typed

UpdateRule = Literal["gradient_descent", "momentum", "muon"]
FastNetworkKind = Literal["swiglu", "linear"]
FastPosition = Literal["none", "ray_point", "surface_point"]

CHOICES: dict[str, tuple[str, ...]] = {
    "update_rule": get_args(UpdateRule),
    "fast_network": get_args(FastNetworkKind),
    "fast_position": get_args(FastPosition),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The shape of a LaCT network and of its fast weights.

    Raises:
        ConfigError: If a value cannot work, naming the key, the value and the remedy.
    """

    dim: int
    """Width of the residual stream."""
    num_blocks: int
    """Number of blocks, each window attention, LaCT layer and MLP."""
    patch_size: int = 8
    """Side of an image patch in pixels; one patch is one token."""
    attention_head_dim: int = 64
    """Width of a window-attention head; divides `dim`."""
    fast_head_dim: int
    """Width of a LaCT head; divides `dim`."""
    fast_hidden_multiplier: int = 2
    """Hidden width of the fast network as a multiple of its head width."""
    mlp_hidden_multiplier: int = 4
    """Hidden width of the MLP as a multiple of `dim`."""
    base_learning_rate: float = 0.01
    """Learning rate of a token before its projection has learned anything."""
    newton_schulz_steps: int = 5
    """Newton–Schulz iterations of the Muon update."""
    update_rule: UpdateRule = "muon"
    """How a gradient changes the fast weights (Eq. 8, 9, 13, 14)."""
    fast_network: FastNetworkKind = "swiglu"
    """The fast network: SwiGLU as released, or one linear map (Fig. 8)."""
    fast_position: FastPosition = "none"
    """What turns queries and keys: nothing, as released, or a point of their ray, which
    is the nearest to a pivot or, where the densities of a network of its own stop the
    ray, that one."""
    reprojection: bool = False
    """Whether colours that input views show of what a camera sees, by those densities,
    are given to the network with its rays and blended with what it renders."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in CHOICES:
                choices = CHOICES[field.name]
                fits, remedy = value in choices, f"Use one of {', '.join(choices)}."
            elif isinstance(field.default, bool):
                fits, remedy = isinstance(value, bool), "It must be true or false."
            elif field.name == "base_learning_rate":
                fits = isinstance(value, int | float) and 0 < value < 1
                remedy = "It must be a number between 0 and 1."
            else:
                fits = type(value) is int and value > 0
                remedy = "It must be a positive whole number."
            require(fits, field.name, value, remedy)
        for key in ("attention_head_dim", "fast_head_dim"):
            if self.dim % getattr(self, key):
                raise ConfigError(
                    f"{key} is {getattr(self, key)}, which does not divide "
                    f"dim = {self.dim}",
                    remedy="Choose a divisor of dim.",
                )
        too_narrow = self.fast_head_dim < 12 or self.fast_head_dim % 2
        if self.has_positions and too_narrow:
            raise ConfigError(
                f"fast_head_dim is {self.fast_head_dim}: too few pairs to turn about "
                "six axes, or half a pair",
                remedy="Choose an even one from 12 on, or fast_position = none.",
            )
        if self.reprojection and not self.has_density:
            raise ConfigError(
                f"reprojection needs densities, which fast_position = "
                f"{self.fast_position} has not",
                remedy="Use fast_position = surface_point, or reprojection = false.",
            )

    @property
    def has_positions(self) -> bool:
        """Whether anything turns queries and keys."""
        return self.fast_position != "none"

    @property
    def has_density(self) -> bool:
        """Whether a network of its own says where rays stop."""
        return self.fast_position == "surface_point"

    @property
    def num_fast_heads(self) -> int:
        """Number of LaCT heads."""
        return self.dim // self.fast_head_dim

    @property
    def num_fast_matrices(self) -> int:
        """Number of fast-weight matrices a layer has; also learning rates a head."""
        return 3 if self.fast_network == "swiglu" else 1

    @property
    def fast_hidden_dim(self) -> int:
        """Hidden width of the fast network of one head."""
        return self.fast_head_dim * self.fast_hidden_multiplier

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary of every field.

        `fast_position` and `reprojection` stand in it only where there are such, so
        that the digest of a network without is what it was before there were any.
        """
        values = dataclasses.asdict(self)
        if not self.has_positions:
            del values["fast_position"]
        if not self.reprojection:
            del values["reprojection"]
        return values

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> ModelConfig:
        """The configuration a dictionary describes.

        Raises:
            ConfigError: If a key is unknown or missing, or a value cannot work.
        """
        return ModelConfig(**typed(ModelConfig, values, what="configuration key"))


PRESETS: dict[str, dict[str, Any]] = {
    "lact_l24_d768_ttt2x": {"dim": 768, "num_blocks": 24, "fast_head_dim": 768},
    "lact_l24_d768_ttt4x": {
        "dim": 768,
        "num_blocks": 24,
        "fast_head_dim": 768,
        "fast_hidden_multiplier": 4,
    },
    "lact_l14_d768_ttt2x": {"dim": 768, "num_blocks": 14, "fast_head_dim": 768},
    "lact_small": {
        "dim": 256,
        "num_blocks": 8,
        "patch_size": 4,
        "fast_head_dim": 128,
        "fast_hidden_multiplier": 4,
        "fast_position": "surface_point",
        "reprojection": True,
    },
    "lact_tiny": {
        "dim": 256,
        "num_blocks": 6,
        "patch_size": 4,
        "fast_head_dim": 128,
        "fast_position": "surface_point",
        "reprojection": True,
    },
}


def preset(name: str) -> ModelConfig:
    """The configuration of a named network.

    Raises:
        ConfigError: If there is no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigError(
            f"there is no preset {name!r}", remedy=f"Use one of {', '.join(PRESETS)}."
        )
    return ModelConfig(**PRESETS[name])
