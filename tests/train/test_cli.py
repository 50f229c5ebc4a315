"""`nvs train`: what its options become."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from nvs.cli.train import train
from nvs.errors import ConfigError, InterruptedWorkError
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

    def stub(out: Path, **given: Any) -> SimpleNamespace:
        calls.append((out, given))
        return SimpleNamespace(interrupted=False)

    monkeypatch.setattr(session, "train", stub)
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


@pytest.mark.parametrize("spelling", ["-o", "--output", "--out"])
def test_an_interrupted_run_is_no_success(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spelling: str
) -> None:
    stub = SimpleNamespace(interrupted=True, step=7)
    monkeypatch.setattr(session, "train", lambda out, **_: stub)
    options = [spelling, str(tmp_path), "--steps", "9", "--device", "cpu"]
    with pytest.raises(InterruptedWorkError, match="stopped at step 7") as caught:
        CliRunner().invoke(app, options, catch_exceptions=False)
    assert caught.value.exit_code == 130
    assert str(tmp_path) in str(caught.value)


def test_resuming_what_never_began_says_so(app: typer.Typer, tmp_path: Path) -> None:
    options = ["-o", str(tmp_path / "new"), "--device", "cpu", "--resume"]
    with pytest.raises(ConfigError, match="new holds no checkpoint to go on from, and"):
        CliRunner().invoke(app, options, catch_exceptions=False)
    assert not (tmp_path / "new").exists()
