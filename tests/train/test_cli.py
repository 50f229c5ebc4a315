"""`nvs train`: what its options become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from nvs.cli.train import train
from nvs.errors import ConfigError
from nvs.train import session
from nvs.train.heldout import HeldOutSet


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(train)
    return app


def test_options_become_values(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Path, dict[str, Any]]] = []
    monkeypatch.setattr(session, "train", lambda out, **kw: calls.append((out, kw)))
    options = "--out runs/a --preset small --time-budget 1h30m --seed 7 --resume "
    options += "--data synthetic:object=1 --device cpu --export weights --shard-mib 16 "
    options += "--heldout set --heldout-inputs 0:8:2 --set learning_rate=0.001 "
    options += "--set model.num_blocks=2 --init obj_res256"
    result = CliRunner().invoke(app, options.split(), catch_exceptions=False)
    assert result.exit_code == 0
    ((out, given),) = calls
    assert out == Path("runs/a")
    assert given["preset_name"] == "small"
    assert given["values"] == {
        "learning_rate": 0.001,
        "model.num_blocks": 2,
        "data": "synthetic:object=1",
        "seed": 7,
        "time_budget_seconds": 5400.0,
    }
    assert given["resume"] is True
    assert given["init"] == "obj_res256"
    assert given["shard_bytes"] == 16 * 2**20
    assert given["heldout_set"] == HeldOutSet(folder=Path("set"), inputs="0:8:2")


def test_mistakes_reach_the_user(app: typer.Typer, tmp_path: Path) -> None:
    options = ["--out", str(tmp_path), "--device", "cpu"]
    with pytest.raises(ConfigError, match="neither steps nor a time budget is given"):
        CliRunner().invoke(app, options, catch_exceptions=False)
