"""Configurations: JSON round trips, and a message for every mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nvs.errors import ConfigError
from nvs.train.config import TrainConfig
from nvs.train.presets import PRESETS, parse_overrides, preset


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    config = preset(name, {"steps": 10})
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert config.preset == name


def test_overrides_reach_the_network_and_the_stages() -> None:
    stage = '{"height": 32, "width": 32, "batch": 4, "inputs": [2], "targets": [1]}'
    values = parse_overrides(
        ["model.num_blocks=2", f"stages=[{stage}]", "data=synthetic:room=1", "steps=3"]
    )
    config = preset("tiny", values)
    assert config.model.num_blocks == 2
    assert config.model.dim == 256
    assert config.stages[0].inputs == (2,)
    assert config.data == "synthetic:room=1"


def test_broken_json_of_an_override_is_shown() -> None:
    with pytest.raises(ConfigError, match="stages is no JSON: Expecting"):
        parse_overrides(["stages=[{]"])
    assert parse_overrides(["data=sets=1"]) == {"data": "sets=1"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": 5}, "model is 5. Name a network"),
        ({"stepz": 3}, "unknown training key 'stepz'. Known keys: model, preset"),
        ({"steps": 0}, "steps is 0. It must be positive."),
        ({"steps": 2.5}, "steps is 2.5. It must be a whole number."),
        ({"steps": None}, "neither steps nor a time budget is given. Say how long"),
        ({"optimiser": "sgd"}, "optimiser is 'sgd'. Use one of adamw, muon."),
        ({"ema_decay": 1}, "ema_decay is 1.0. It must be in"),
        ({"compile": "yes"}, "compile is 'yes'. Use true or false."),
        ({"model": "lact_huge"}, "there is no preset 'lact_huge'. Use one of"),
        ({"stages": []}, "stages is []. Give at least one stage."),
        ({"scenes_per_group": 3}, "stages[0].batch is 2, no multiple of"),
    ],
)
def test_every_mistake_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        preset("tiny", {"steps": 10} | values)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 18}, "stages[0].height is 18. It must be a multiple of 4"),
        ({"inputs": []}, "stages.inputs is (). Give one or more positive"),
        ({"inputs": 4}, "stages.inputs is 4. It must be a list of whole numbers."),
        ({"targets": []}, "stages.targets is (). Give one or more positive"),
        ({"targets": [1], "views": 9}, "stages.targets is (1,). Leave it out where"),
        ({"targets": [], "views": 2}, "stages.views is 2. It must be more than the"),
        ({"repeated": -1}, "stages.repeated is -1. It must not be negative."),
        ({"field_of_view": 2}, "stages.field_of_view is 2.0. It must be above 0"),
        ({"baseline": [0.1]}, "stages.baseline is [0.1]. It must be a list of two"),
        ({"fov": 1}, "unknown training key 'stages.fov'. Known keys: share"),
    ],
)
def test_every_mistake_in_a_stage_is_named(
    changes: dict[str, Any], message: str
) -> None:
    stage = {"height": 16, "width": 16, "batch": 8, "inputs": [2], "targets": [2]}
    with pytest.raises(ConfigError) as caught:
        preset("tiny", {"steps": 10, "stages": [stage | changes]})
    assert message in str(caught.value)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="training key 'learning_rate' is missing"):
        TrainConfig.from_json({"model": {}, "stages": [], "steps": 1})


def test_unknown_preset_and_bad_assignment() -> None:
    with pytest.raises(ConfigError, match="no training preset 'huge'"):
        preset("huge", {"steps": 1})
    with pytest.raises(
        ConfigError, match=r"'steps' sets nothing. Write it as key=value"
    ):
        parse_overrides(["steps"])
