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


def _stage(size: int, batch: int, share: float, **values: Any) -> dict[str, Any]:
    """A stage of the recipe: 4 to 12 inputs of 20 views, the rest targets."""
    return {
        "share": share,
        "height": size,
        "width": size,
        "batch": batch,
        "inputs": tuple(range(4, 13)),
        "views": 20,
        "lpips": False,
        **values,
    }


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": RECIPE
    | {
        "model": "lact_tiny",
        "workers": None,
        "checkpoint_every": 200,
        "heldout_every": 300,
        "stages": (
            _stage(32, 2, 0.05),
            _stage(32, 4, 0.15),
            _stage(64, 4, 0.4),
            _stage(128, 4, 0.3),
            _stage(128, 4, 0.1, lpips=True),
        ),
    },
    "small": RECIPE
    | {
        "model": "lact_small",
        "workers": 8,
        "scenes_per_group": 4,
        "stages": (
            _stage(32, 16, 0.1),
            _stage(64, 32, 0.4),
            _stage(128, 32, 0.4),
            _stage(128, 32, 0.1, lpips=True),
        ),
    },
    "object": PAPER
    | {
        "model": "lact_l24_d768_ttt2x",
        "stages": (
            {
                "share": 0.8,
                "height": 256,
                "width": 256,
                "batch": 256,
                "inputs": (8,),
                "targets": (8,),
            },
            {
                "share": 0.15,
                "height": 512,
                "width": 512,
                "batch": 64,
                "inputs": (8, 12, 16, 24),
                "targets": (8,),
            },
            {
                "share": 0.05,
                "height": 1024,
                "width": 1024,
                "batch": 32,
                "inputs": (8, 16, 32, 48),
                "targets": (8,),
            },
        ),
    },
    "scene": PAPER
    | {
        "model": "lact_l24_d768_ttt4x",
        "framing": "mean_camera",
        "data": "sets=1",
        "stages": (
            {
                "share": 0.5,
                "height": 128,
                "width": 128,
                "batch": 256,
                "inputs": (8, 12, 16),
                "targets": (8,),
                "field_of_view": 0.6,
                "baseline": (0.2, 0.5),
            },
            {
                "share": 0.25,
                "height": 144,
                "width": 256,
                "batch": 128,
                "inputs": (16, 24, 32),
                "targets": (8,),
                "baseline": (0.5, 1.0),
            },
            {
                "share": 0.15,
                "height": 288,
                "width": 512,
                "batch": 64,
                "inputs": (16, 32, 48, 64),
                "targets": (8,),
            },
            {
                "share": 0.1,
                "height": 536,
                "width": 960,
                "batch": 64,
                "inputs": (16, 32, 64, 128),
                "targets": (8,),
            },
        ),
    },
}


def preset(name: str, values: Mapping[str, Any] | None = None) -> TrainConfig:
    """The configuration of a named run.

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
    merged = {"preset": name} | PRESETS[name] | dict(values or {})
    return TrainConfig.from_json(with_model(merged))


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
    return plain | {"model": {**model, **changes}}


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
