"""Methods by name, as a run's settings give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from nvs.config import UpdateRule
from nvs.errors import ConfigError
from nvs.model.weights import Weights, load_weights
from nvs.scene import Renderer
from nvs.scene.precision import pick_device
from nvs_eval.methods.attention import (
    KINDS,
    AttentionMethod,
    load_attention_network,
    random_network,
)
from nvs_eval.methods.base import MeanColour, Method, NearestInput
from nvs_eval.methods.lact import LactMethod, with_update_rule

REMEDY = (
    "Use lact, lact:RULE (gradient_descent, momentum, muon), nearest, mean, "
    "full_attention or register, these two also with :FILE of their weights."
)


def make_methods(
    specs: Sequence[str],
    *,
    weights: Sequence[str | None],
    device: str | None,
    precision: str | None,
    seed: int,
    compile: bool = False,
) -> list[Method]:
    """The methods that a run evaluates, each once.

    Args:
        specs: `lact`, `lact:RULE`, `nearest`, `mean`, `full_attention[:FILE]`,
            `register[:FILE]`.
        weights: What each `lact` runs with; None is the default. Attention networks
            without a file are of the first one's shape, with random weights.
        device: See `Renderer`.
        precision: See `Renderer`.
        seed: Of random weights.
        compile: See `Renderer`.

    Raises:
        ConfigError: If a method is unknown or comes twice under one name.
        WeightsUnavailableError, CheckpointError: If weights cannot be had.
    """
    loaded: dict[str | None, Weights] = {}

    def weights_of(name: str | None) -> Weights:
        if name not in loaded:
            loaded[name] = load_weights(name)
        return loaded[name]

    methods: list[Method] = []
    for spec in specs:
        kind, _, option = spec.partition(":")
        if kind == "lact" and option in ("", *get_args(UpdateRule)):
            for name in weights:
                chosen = weights_of(name)
                label = chosen.name
                if option:
                    checkpoint = with_update_rule(chosen.checkpoint, option)  # pyright: ignore
                    chosen = replace(chosen, checkpoint=checkpoint)
                    label = f"{label}, {option.replace('_', ' ')}"
                renderer = Renderer.from_weights(
                    chosen, device=device, precision=precision, compile=compile
                )
                methods.append(LactMethod(renderer, name=label))
        elif spec == "nearest":
            methods.append(NearestInput())
        elif spec == "mean":
            methods.append(MeanColour())
        elif kind in KINDS:
            if option:
                network = load_attention_network(option, kind)
            else:
                config = weights_of(weights[0]).checkpoint.config
                network = random_network(kind, config, seed=seed)
            methods.append(
                AttentionMethod(
                    network, device=pick_device(device), precision=precision
                )
            )
        else:
            raise ConfigError(f"there is no method {spec!r}", remedy=REMEDY)
    names = [method.name for method in methods]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two methods are called {name}",
                remedy="Name each method and each weights file once; rename a file "
                "whose name another has.",
            )
    return methods
