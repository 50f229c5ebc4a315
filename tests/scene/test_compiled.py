"""Compiled blocks: equal to blocks that are not, and compiled once a machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nvs.model.checkpoint import Checkpoint
from nvs.scene import PosedViews, Renderer, compiled
from nvs.scene.compiled import PIECES, Order
from nvs.scene.precision import Precision

WITHIN = {"float32": (1e-5, 1e-5), "bfloat16": (0.02, 0.004)}
"""Of pixels: the largest and the mean difference."""

COMPARE = """
import json, sys, time, torch
from nvs.config import ModelConfig
from nvs.model.checkpoint import random_checkpoint
from nvs.scene import Renderer
from nvs.scene.bench import random_views

torch.set_num_threads(1)
config = ModelConfig(dim=64, num_blocks=2, fast_head_dim=64, attention_head_dim=32,
                     patch_size=4, fast_position="ray_point")
made = dict(model_id="r", device="cpu", precision=sys.argv[1])
eager = Renderer(random_checkpoint(config), **made)
begun = time.perf_counter()
fast = Renderer(random_checkpoint(config), **made, compile=True)
fast.compiled.begin()
first = fast.compiled.is_ready
fast.wait_compiled(16, 16, lambda line: None)
found = {"at_once": first, "computes": fast.computes, "pixels": []}
calls = []
for name, piece in fast.compiled._ready[False].items():
    fast.compiled._ready[False][name] = (
        lambda given, piece=piece, name=name: calls.append(name) or piece(given)
    )
for height, width, views in ((16, 24, 3), (32, 16, 1), (4, 4, 5)):
    posed = random_views(views, height=height, width=width)
    scene = eager.prefill(posed, group_size=2)
    same = fast.prefill(posed, group_size=2)
    ours = fast.render(scene, posed.camera)
    difference = (ours - eager.render(scene, posed.camera)).abs()
    whole = (fast.render(same, posed.camera) - ours).abs()
    found["pixels"].append([*(float(d) for d in (
        difference.max(), difference.mean(), whole.max(), whole.mean()))])
found["calls"] = sorted(set(calls))
print(json.dumps(found))
"""


def compared(precision: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", COMPARE, precision],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(2000)
@pytest.mark.parametrize("precision", WITHIN)
def test_compiled_equals_eager_and_another_start_compiles_nothing(
    tmp_path: Path, precision: str
) -> None:
    real = shutil.which("g++")
    if real is None:
        pytest.skip("needs a C++ compiler")
    runs = tmp_path / "runs"
    wrapper = tmp_path / "counting"
    wrapper.write_text(f'#!/bin/sh\necho "$*" >> {runs}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    environment = {"CXX": str(wrapper), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for is_first in (True, False):
        found = compared(precision, **environment)
        assert found["at_once"] is not is_first
        assert found["computes"] == f"{precision}, compiled"
        assert found["calls"] == sorted(PIECES)
        most, mean = WITHIN[precision]
        for pixels in found["pixels"]:
            assert max(pixels[::2]) <= most
            assert max(pixels[1::2]) <= mean
        if is_first:
            assert runs.read_text().count(".cpp") >= len(PIECES)
            runs.write_text("")
    assert runs.read_text() == "", "nothing was compiled again"
    (folder,) = (tmp_path / "cache" / "lact-nvs" / "blocks").iterdir()
    about = json.loads((folder / "about.json").read_text())
    assert about["tracing_seconds"] > 0
    assert about["compiling_seconds"] > 0


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiled, "user_cache_path", lambda _name: tmp_path)


def check_eager(
    checkpoint: Checkpoint, views: PosedViews, renderer: Renderer
) -> Renderer:
    """A renderer that was to compile gives what one gives that was not."""
    asked = Renderer(
        checkpoint, model_id="random", device="cpu", precision="float32", compile=True
    )
    asked.wait_compiled(views.camera.height, views.camera.width, lambda _line: None)
    scene = renderer.prefill(views)
    for ours, theirs in zip(
        asked.prefill(views).fast_weights, scene.fast_weights, strict=True
    ):
        assert all(map(torch.equal, ours, theirs))
    rendered = asked.render(scene, views.camera)
    assert torch.equal(rendered, renderer.render(scene, views.camera))
    assert asked.computes == "float32"
    return asked


@pytest.mark.usefixtures("no_cache")
def test_without_a_compiler_blocks_run_as_they_are_and_one_line_says_so(
    checkpoint: Checkpoint,
    views: PosedViews,
    renderer: Renderer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiled, "_compile", lambda _order: pytest.fail("compiles"))
    check_eager(checkpoint, views, renderer)
    (line,) = caplog.messages
    assert "no compiler found, install g++" in line


@pytest.mark.usefixtures("no_cache")
def test_where_compiling_fails_blocks_run_as_they_are(
    checkpoint: Checkpoint,
    views: PosedViews,
    renderer: Renderer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setattr(compiled, "COMPILING", "nvs.scene.no_such_module")
    check_eager(checkpoint, views, renderer)
    (line,) = caplog.messages
    assert "compiling ended with 1" in line
    assert "no_such_module" in line


def test_code_is_kept_by_what_it_depends_on(checkpoint: Checkpoint) -> None:
    config = checkpoint.config
    precision = Precision(compute=torch.float32, newton_schulz=torch.float32)
    one = Order.of(config, precision, long_windows=False)
    assert one.folder == Order.of(config, precision, long_windows=False).folder
    other = Precision(compute=torch.bfloat16, newton_schulz=torch.float32)
    assert (
        len(
            {
                one.folder,
                Order.of(config, precision, long_windows=True).folder,
                Order.of(config, other, long_windows=False).folder,
            }
        )
        == 3
    )
