"""What is left of a run that a signal ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nvs.train import session
from nvs.train.config import TrainConfig
from nvs.train.state import list_states

MakeConfig = Callable[..., TrainConfig]
SCRIPT = """
import json, sys
from pathlib import Path
from nvs.train import session
if __name__ == "__main__":
    out = Path(sys.argv[1])
    trainer = session.train(
        out, values=json.loads(sys.argv[2]), export=out / "weights"
    )
    assert trainer.interrupted
"""
NUM_STEPS = 20


def start(
    folder: Path, config: TrainConfig, tmp_path: Path
) -> tuple[subprocess.Popen[str], dict[str, object]]:
    """A run in a session of its own, once it has a checkpoint."""
    values = {k: v for k, v in config.to_json().items() if k != "preset"}
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), json.dumps(values)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list_states(folder) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process, values


@pytest.mark.parametrize(
    ("number", "workers"), [(signal.SIGTERM, 0), (signal.SIGINT, 1)]
)
def test_a_run_that_is_asked_to_stop_keeps_every_step(
    make_config: MakeConfig,
    posed_set: Callable[..., Path],
    tmp_path: Path,
    number: signal.Signals,
    workers: int,
) -> None:
    data = f"{posed_set()}=1"
    config = make_config(steps=100_000, checkpoint_every=5, data=data, workers=workers)
    process, _ = start(tmp_path / "run", config, tmp_path)
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    last = int(lines[-1].split(",")[0])
    assert f"step {last}  asked to stop" in said
    assert "the weights are unfinished and not exported" in said
    assert not (tmp_path / "run" / "weights").exists()
    assert list_states(tmp_path / "run")[-1].name == f"checkpoint-{last:08d}.pt"


def test_a_killed_run_goes_on_bit_for_bit(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(steps=NUM_STEPS, optimiser="muon")
    killed, values = start(tmp_path / "killed", config, tmp_path)
    killed.kill()
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    (last, *_) = reversed(list_states(tmp_path / "killed"))
    assert last.name < f"checkpoint-{NUM_STEPS:08d}.pt"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        resumed = session.train(tmp_path / "killed", resume=True, quiet=True)
        whole = session.train(tmp_path / "whole", values=values, quiet=True)
    finally:
        torch.set_num_threads(threads)
    assert resumed.step == whole.step == NUM_STEPS
    for name, tensor in whole.learner.mean.network.state_dict().items():
        assert torch.equal(tensor, resumed.learner.mean.network.state_dict()[name])
