"""Runs as processes: one that is killed, and two ranks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nvs_eval.runs import RunSettings, run

NO_LPIPS = ("--lpips-vgg", "absent", "--lpips-alex", "absent")

pytestmark = pytest.mark.usefixtures("no_lpips")


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_table(
    settings: RunSettings, tmp_path: Path
) -> None:
    whole = replace(settings, out=str(tmp_path / "whole"))
    run(whole)
    command = [sys.executable, "-m", "nvs.cli", "eval", "gso", *settings.data]
    command += ["--weights", settings.weights[0], "--views", "4,8", "--size", "32"]
    command += ["--device", "cpu", *NO_LPIPS, "--out", settings.out]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "scene 2 of 3" in line:
                process.kill()
    assert process.returncode == -signal.SIGKILL
    scenes = Path(settings.out) / "scenes"
    assert [path.name for path in scenes.glob("*.json")] == ["ball.json"]
    run(settings)
    for name in ("results.jsonl", "results.csv"):
        ours, theirs = (Path(s.out) / name for s in (settings, whole))
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.slow
def test_two_ranks_find_what_one_process_finds(
    settings: RunSettings, tmp_path: Path
) -> None:
    arguments = ["eval", "gso", *settings.data, "--weights", settings.weights[0]]
    arguments += ["--views", "4,8", "--size", "32", "--precision", "float32", *NO_LPIPS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    nvs = ["-m", "nvs.cli", *arguments]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    launch = {
        "one": [*nvs, "--device", "cpu"],
        "torchrun": [*torchrun, *nvs, "--device", "cpu"],
        "devices": [*nvs, "--devices", "cpu:2"],
    }
    for name, command in launch.items():
        done = subprocess.run(
            [sys.executable, *command, "--out", tmp_path / name],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    one, *others = (tmp_path / name / "results.jsonl" for name in launch)
    for other in others:
        assert other.read_bytes() == one.read_bytes()
