"""Settings of a run: from YAML, and what cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest

from nvs.errors import ConfigError
from nvs_eval.runs import RunSettings
from nvs_eval.runs.settings import read_settings


def test_settings_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "protocol: dl3dv\ndata: [scenes]\nweights: [a, b]\nviews: 16\n"
        "sizes: [256, [536, 960]]\nnormalise: inputs+targets\nout: here\n"
    )
    settings = RunSettings.from_values(read_settings(file))
    assert settings.views == (16,)
    assert settings.image_sizes == ((256, 256), (536, 960))
    assert settings.weights == ("a", "b")
    assert settings.make_protocol().normalise == "inputs and targets, as published"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": 1}, "unknown run setting 'speed'"),
        ({"views": ["four"]}, "views is \\['four'\\]"),
        ({"views": [True]}, "views is \\[True\\]"),
        ({"views": [0]}, "views is"),
        ({"sizes": [[1, 2, 3]]}, "sizes is"),
        ({"protocol": "nerf"}, "protocol is 'nerf'"),
        ({"data": []}, "data is empty"),
        ({"pictures": -2}, "pictures is -2"),
        ({"require_lpips": "yes"}, "require_lpips is 'yes'"),
        ({"out": None}, "out is None"),
    ],
)
def test_settings_that_cannot_work(values: dict, message: str) -> None:
    good = {"protocol": "gso", "data": ["a"], "out": "b"}
    with pytest.raises(ConfigError, match=message):
        RunSettings.from_values(good | values)


def test_settings_that_are_missing_or_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run setting 'out' is missing"):
        RunSettings.from_values({"protocol": "gso", "data": ["a"]})
    file = tmp_path / "a.yaml"
    file.write_text("a: [")
    with pytest.raises(ConfigError, match="not readable YAML"):
        read_settings(file)
    file.write_text("- 1")
    with pytest.raises(ConfigError, match="no mapping"):
        read_settings(file)
