"""Named training runs: a table from name to configuration values.

`object` and `scene` follow the paper's recipe and progressive stages (AdamW, weight
decay 0.05, betas 0.9 and 0.95, cosine, perceptual loss from step 5000); they are meant
for many accelerators. `small` is for one accelerator and `tiny` for two CPU cores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nvs.config import ModelConfig
from nvs.config import preset as model_preset
from nvs.errors import ConfigError
from nvs.train.config import TrainConfig

PAPER: dict[str, Any] = {
    "optimiser": "adamw",
    "learning_rate": 4e-4,
    "warmup_steps": 4000,
    "lpips_weight": 1.0,
    "lpips_from": 5000,
    "precision": "bfloat16",
    "newton_schulz_dtype": "bfloat16",
    "activation_checkpointing": True,
    "workers": 4,
}

RECIPE: dict[str, Any] = {
    "optimiser": "muon",
    "learning_rate": 2e-3,
    "muon_learning_rate": 0.01,
    "patch_learning_rate": 0.02,
    "chroma_weight": 3.0,
    "warmup_steps": 100,
    "decay": "tail",
    "ema_decay": 0.998,
    "lpips_weight": 0.1,
}


def _stage(
    share: float, height: int, width: int, batch: int, **values: Any
) -> dict[str, Any]:
    size = {"height": height, "width": width}
    return {"share": share, **size, "batch": batch, "targets": (8,), **values}


def _small(
    share: float, size: int, batch: int, *, lpips: bool = False
) -> dict[str, Any]:
    """A stage of the recipe: 4 to 12 inputs of 20 views, the rest targets."""
    views = {"inputs": tuple(range(4, 13)), "views": 20, "targets": ()}
    return _stage(share, size, size, batch, **views, lpips=lpips)


def _surfaces(share: float, batch: int) -> dict[str, Any]:
    """A stage that learns where surfaces are."""
    views = {"inputs": tuple(range(3, 15)), "targets": (6,)}
    return _stage(share, 64, 64, batch, **views, lpips=False, learns="density")


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": RECIPE
    | {
        "model": "lact_tiny",
        "workers": None,
        "checkpoint_every": 200,
        "heldout_every": 300,
        "stages": (
            _surfaces(0.15, 2),
            _small(0.05, 32, 2),
            _small(0.1, 32, 4),
            _small(0.3, 64, 4),
            _small(0.3, 128, 4),
            _small(0.1, 128, 4, lpips=True),
        ),
    },
    "small": RECIPE
    | {
        "model": "lact_small",
        "workers": 0,
        "scenes_per_group": 16,
        "stages": (
            _surfaces(0.1, 16),
            _small(0.1, 32, 16),
            _small(0.3, 64, 32),
            _small(0.4, 128, 32),
            _small(0.1, 128, 32, lpips=True),
        ),
    },
    "object": PAPER
    | {
        "model": "lact_l24_d768_ttt2x",
        "stages": (
            _stage(0.8, 256, 256, 256, inputs=(8,)),
            _stage(0.15, 512, 512, 64, inputs=(8, 12, 16, 24)),
            _stage(0.05, 1024, 1024, 32, inputs=(8, 16, 32, 48)),
        ),
    },
    "scene": PAPER
    | {
        "model": "lact_l24_d768_ttt4x",
        "framing": "mean_camera",
        "data": "sets=1",
        "stages": (
            _stage(
                *(0.5, 128, 128, 256),
                inputs=(8, 12, 16),
                field_of_view=0.6,
                baseline=(0.2, 0.5),
            ),
            _stage(0.25, 144, 256, 128, inputs=(16, 24, 32), baseline=(0.5, 1.0)),
            _stage(0.15, 288, 512, 64, inputs=(16, 32, 48, 64)),
            _stage(0.1, 536, 960, 64, inputs=(16, 32, 64, 128)),
        ),
    },
}


def preset(name: str, values: Mapping[str, Any] | None = None) -> TrainConfig:
    """The configuration of a named run.

    A preset's stage that learns densities is left out of a network without.

    Args:
        name: A key of `PRESETS`.
        values: Other values, in the form of `TrainConfig.from_json`; `model` may be
            the name of a network, and `model.key` changes one value of it.

    Raises:
        ConfigError: If there is no preset of that name, or a value cannot work.
    """
    if name not in PRESETS:
        raise ConfigError(
            f"there is no training preset {name!r}",
            remedy=f"Use one of {', '.join(PRESETS)}.",
        )
    merged = with_model({"preset": name} | PRESETS[name] | dict(values or {}))
    if "stages" not in (values or {}):
        has_density = ModelConfig.from_json(merged["model"]).has_density
        merged["stages"] = [
            stage
            for stage in merged["stages"]
            if has_density or stage.get("learns") != "density"
        ]
    return TrainConfig.from_json(merged)


def with_model(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with the network in full: its name looked up, `model.key` put in.

    Raises:
        ConfigError: If there is no network of that name.
    """
    plain = {k: v for k, v in values.items() if not k.startswith("model.")}
    model = plain["model"]
    if isinstance(model, str):
        model = model_preset(model)
    if isinstance(model, ModelConfig):
        model = model.to_json()
    if not isinstance(model, Mapping):
        raise ConfigError(
            f"model is {model!r}", remedy="Name a network or give its configuration."
        )
    changes = {
        k.removeprefix("model."): v for k, v in values.items() if k.startswith("model.")
    }
    changed = {**model, **changes}
    has_surfaces = changed.get("fast_position") == "surface_point"
    if not has_surfaces and "reprojection" not in changes:
        changed.pop("reprojection", None)
    return plain | {"model": changed}


def parse_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """Values of `key=value` arguments; a value is JSON, or else a plain string.

    `model.key=value` changes one value of the network.

    Raises:
        ConfigError: If an argument has no `=`.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(
                f"{assignment!r} sets nothing", remedy="Write it as key=value."
            )
        try:
            values[key] = json.loads(text)
        except ValueError as error:
            if text.lstrip()[:1] in ("[", "{"):
                raise ConfigError(
                    f"{key} is no JSON: {error}", remedy="Correct it there."
                ) from error
            values[key] = text
    return values
