from __future__ import annotations

import pytest

from nvs.config import PRESETS, ModelConfig, preset
from nvs.errors import ConfigError

GOOD = {"dim": 32, "num_blocks": 2, "attention_head_dim": 16, "fast_head_dim": 32}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    config = preset(name)
    assert ModelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, "dim is 0. It must be a positive whole number"),
        ({"num_blocks": 2.5}, "num_blocks is 2.5"),
        ({"num_blocks": True}, "num_blocks is True"),
        ({"attention_head_dim": 5}, "attention_head_dim is 5, which does not divide"),
        ({"fast_head_dim": 24}, "fast_head_dim is 24, which does not divide dim = 32"),
        ({"update_rule": "adam"}, "update_rule is 'adam'. Use one of gradient_desc"),
        ({"fast_network": "mlp"}, "fast_network is 'mlp'. Use one of swiglu, linear"),
        ({"base_learning_rate": 0}, "base_learning_rate is 0"),
        ({"color": 1}, "unknown configuration key 'color'"),
    ],
)
def test_bad_values_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig.from_json(GOOD | change)


def test_missing_key_and_preset() -> None:
    with pytest.raises(ConfigError, match="'dim' is missing"):
        ModelConfig.from_json({"num_blocks": 2})
    with pytest.raises(ConfigError, match="no preset 'huge'"):
        preset("huge")
