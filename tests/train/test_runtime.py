"""What a run computes with, as it is decided on the machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nvs.parallel.group import Group
from nvs.scene import precision
from nvs.train import runtime
from nvs.train.config import TrainConfig
from nvs.train.distributed import Processes

MakeConfig = Callable[..., TrainConfig]
CPU = torch.device("cpu")
ALONE = Processes.alone(CPU)


@pytest.mark.parametrize(
    ("gain", "dtype"), [(2.0, torch.bfloat16), (0.3, torch.float32)]
)
def test_auto_takes_bfloat16_where_it_is_measured_to_be_faster(
    make_config: MakeConfig, gain: float, dtype: torch.dtype
) -> None:
    alone = Processes.alone(CPU, bfloat16_gain=gain)
    assert runtime.dtype("auto", alone) == dtype
    config = make_config(precision="auto")
    words = runtime.describe(config, alone)
    assert str(dtype).removeprefix("torch.") in words
    assert f"{gain} times as fast" in words
    assert torch.is_autocast_enabled("cpu") is False
    with runtime.autocast(config, alone):
        assert torch.is_autocast_enabled("cpu") == (dtype == torch.bfloat16)


def test_a_named_precision_is_not_measured(make_config: MakeConfig) -> None:
    for name, dtype in precision.DTYPES.items():
        assert runtime.dtype(name, ALONE) == dtype
        words = runtime.describe(make_config(precision=name), ALONE)
        assert name in words
        assert "times" not in words


def test_without_a_compiler_the_run_is_eager_and_says_so(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = make_config(compile=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert "no compiler found, install g++" in runtime.describe(
        config, Processes.alone(CPU)
    )
    network = runtime.build_network(config)
    posed, image = torch.rand(1, 2, 9, 16, 16), torch.rand(1, 2, 3, 16, 16)
    prepared = runtime.prepare(network, config, Processes.alone(CPU))
    assert prepared(posed, image, posed).shape == (1, 2, 3, 16, 16)


def test_data_is_made_ahead_where_a_core_is_free(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    two = Processes.of(Group(device=CPU, rank=1, size=2))
    for cores, alone, together in ((1, 0, 0), (2, 1, 0), (3, 1, 0), (4, 1, 1)):
        monkeypatch.setattr(runtime, "num_cores", lambda cores=cores: cores)
        config = make_config(workers=None)
        assert runtime.num_workers(config, Processes.alone(CPU)) == alone
        assert runtime.num_workers(config, two) == together
        assert runtime.num_workers(make_config(workers=3), two) == 3


@pytest.mark.slow
def test_compiled_equals_eager(make_config: MakeConfig) -> None:
    """In a process of its own, since compiled code does not bear the type checks."""
    script = """
import torch
from nvs.train import runtime
from nvs.train.distributed import Processes
from nvs.train.presets import preset
alone = Processes.alone(torch.device("cpu"))
values = {
    "steps": 1, "precision": "float32", "newton_schulz_dtype": "float32",
    "lpips_weight": 0,
    "model": {"dim": 64, "num_blocks": 2, "fast_head_dim": 32, "patch_size": 4,
              "fast_position": "ray_point"},
}
torch.manual_seed(0)
posed, image = torch.rand(1, 5, 9, 16, 16), torch.rand(1, 3, 3, 16, 16)
results = []
for compiled in (False, True):
    config = preset("tiny", values | {"compile": compiled})
    network = runtime.build_network(config)
    network.set_newton_schulz_dtype(torch.float32)
    forward = runtime.prepare(network, config, alone)
    for inputs in (3, 2):
        image_of = image[:, :inputs]
        rendered = forward(posed[:, :inputs], image_of, posed[:, inputs:])
        weights = list(network.parameters())
        gradient = torch.autograd.grad(rendered.square().mean(), weights)
        results.append((rendered.detach(), *gradient))
for eager, compiled in zip(results[:2], results[2:]):
    for a, b in zip(eager, compiled):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
