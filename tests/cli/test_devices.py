"""`--devices` gives what one device gives, and ends when a rank does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.errors import ConfigError
from nvs.parallel import devices, launch
from nvs.scene import Scene

SAMPLE = Path(__file__).resolve().parents[2] / "nvs" / "assets" / "sample"
SMALL = ["--size", "32", "--precision", "float32", "--json"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def command(*arguments: object, under: list[str] | None = None) -> list[str]:
    return [sys.executable, *(under or []), "-m", "nvs.cli", *map(str, arguments)]


def run(*arguments: object, under: list[str] | None = None) -> dict[str, Any]:
    done = subprocess.run(
        command(*arguments, under=under),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def failed(*arguments: object) -> tuple[int, list[str]]:
    """The exit code of a command and the lines it ends with."""
    done = subprocess.run(
        command(*arguments),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("nvs: ")]
    assert "Traceback" not in done.stderr
    return done.returncode, [line for line in lines if "nvs: framing" not in line]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("4", ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        ("cpu:2", ["cpu", "cpu"]),
        ("cpu", ["cpu"]),
        ("cuda:1, cuda:3", ["cuda:1", "cuda:3"]),
    ],
)
def test_devices_are_named_in_three_ways(text: str, names: list[str]) -> None:
    assert devices.parse_devices(text) == names


@pytest.mark.parametrize("text", ["", "0", "cuda", "cuda:", "cpu:0", "tpu:1", "2,cpu"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the devices are"):
        devices.parse_devices(text)


def test_a_rank_takes_the_device_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.own_device("cpu", None) == "cpu"
    assert devices.own_device(None, "cuda:3") == "cuda:3"
    with pytest.raises(ConfigError, match="Give one of them"):
        devices.own_device("cpu", "cpu:2")
    with pytest.raises(ConfigError, match="names 2 devices, but 1 ranks"):
        devices.own_device(None, "cpu:2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices.own_device(None, "cuda:1,cuda:3") == "cuda:3"


def test_one_device_needs_no_ranks() -> None:
    assert not launch.started(None)
    assert not launch.started("cpu:1")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of one device and of two ranks."""
    folder = tmp_path_factory.mktemp("scenes")
    build = ["build", SAMPLE, "--keep", "float32", *SMALL, "-o"]
    one = run(*build, folder / "one.scene", "--device", "cpu", "--holdout", "8")
    two = run(*build, folder / "two.scene", "--devices", "cpu:2", "--holdout", "8")
    assert two["views"] == one["views"]
    assert two["psnr_held_out"] == pytest.approx(one["psnr_held_out"], abs=0.01)
    assert two["psnr_nearest_input"] == one["psnr_nearest_input"]
    return folder


def test_build_gives_the_scene_of_one_device(built: Path) -> None:
    one, two = (Scene.load(built / f"{name}.scene") for name in ("one", "two"))
    assert two.input_names == one.input_names
    assert torch.equal(
        two.input_camera.world_from_camera, one.input_camera.world_from_camera
    )
    assert torch.equal(two.thumbnail, one.thumbnail)
    assert two.normalisation.kind == one.normalisation.kind


@pytest.mark.slow
def test_torchrun_builds_too(tmp_path: Path) -> None:
    path = tmp_path / "torchrun.scene"
    run("build", SAMPLE, "--views", "0-4", *SMALL, "-o", path, under=TORCHRUN)
    assert len(Scene.load(path).input_names) == 5


def test_render_gives_the_frames_of_one_device(built: Path, tmp_path: Path) -> None:
    render = ["render", built / "one.scene", "--frames", "5", *SMALL, "-o"]
    one = run(*render, tmp_path / "one", "--device", "cpu")
    two = run(*render, tmp_path / "two", "--devices", "cpu:2")
    assert one["frames"] == two["frames"] == 5
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in names:
        first, second = ((tmp_path / side / name) for side in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()
    frame = np.asarray(Image.open(tmp_path / "one" / names[0]))
    assert frame.std() > 1


@pytest.mark.slow
def test_more_ranks_than_views_are_refused_in_one_line(tmp_path: Path) -> None:
    arguments = ["build", SAMPLE, "--views", "0", *SMALL, "-o", tmp_path / "a.scene"]
    code, lines = failed(*arguments, "--devices", "cpu:2")
    assert code == 2
    (line,) = lines
    assert line.startswith("nvs: rank ")
    assert "of 2: 1 views cannot be dealt to 2 ranks. Use at most 1, so " in line


@pytest.mark.slow
def test_an_unreadable_view_ends_all_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(SAMPLE, folder)
    last = sorted(folder.rglob("*.png"))[-1]
    last.write_bytes(b"no picture")
    out = tmp_path / "a.scene"
    code, lines = failed("build", folder, *SMALL, "-o", out, "--devices", "cpu:2")
    assert code == 2
    (line,) = lines
    assert line.startswith("nvs: rank 1 of 2: ")
    assert last.name in line
    assert not out.exists()


def ranks_of(launcher: subprocess.Popen[str]) -> dict[int, int]:
    """Process numbers of a command's ranks."""
    found: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            environment = (status.parent / "environ").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        if parent == launcher.pid:
            pairs = dict(entry.partition(b"=")[::2] for entry in environment)
            if b"RANK" in pairs:
                found[int(pairs[b"RANK"])] = int(status.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux")
@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_rank_ends_the_command(tmp_path: Path, rank: int) -> None:
    arguments = ["build", SAMPLE, "--size", "256", "-o", tmp_path / "a.scene"]
    with subprocess.Popen(
        command(*arguments, "--devices", "cpu:2"),
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        assert launcher.stderr is not None
        for line in launcher.stderr:
            if "nvs: framing" in line:  # the prefill begins
                break
        ranks = ranks_of(launcher)
        os.kill(ranks[rank], signal.SIGKILL)
        killed = time.monotonic()
        rest = launcher.stderr.read()
        launcher.wait()
    assert time.monotonic() - killed < 20
    assert launcher.returncode == 2
    lines = [line for line in rest.splitlines() if line.startswith("nvs: ")]
    assert lines[-1].startswith(f"nvs: rank {rank} of 2 (cpu) was killed by SIGKILL.")
    assert "Traceback" not in rest
    assert not any(Path(f"/proc/{number}").exists() for number in ranks.values())
    assert list(tmp_path.iterdir()) == []
