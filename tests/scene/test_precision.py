"""Which numbers the network computes with, and how that is found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nvs.config import ModelConfig
from nvs.errors import ConfigError
from nvs.model.block import Block
from nvs.model.checkpoint import random_checkpoint
from nvs.scene import Renderer, precision
from nvs.scene.bench import random_views
from nvs.scene.precision import Gain, Precision, bfloat16_gain

CPU = torch.device("cpu")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """Make the next measurements give these gains; returns how often one was made."""
    monkeypatch.setattr(precision, "user_cache_path", lambda name: tmp_path / name)

    def measure(*gains: Gain) -> list[Gain]:
        left = list(gains)
        monkeypatch.setattr(precision, "_measured_gain", lambda: left.pop(0))
        return left

    return measure


@pytest.mark.parametrize(
    ("gain", "compute", "newton_schulz", "name"),
    [
        (Gain(2.2, 2.0), torch.bfloat16, torch.bfloat16, "bfloat16"),
        (Gain(0.3, 0.5), torch.float32, torch.float32, "float32"),
        (
            *(Gain(0.9, 1.6), torch.float32, torch.bfloat16),
            "float32, Newton–Schulz bfloat16",
        ),
    ],
)
def test_auto_takes_what_is_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch,
    gain: Gain,
    compute: torch.dtype,
    newton_schulz: torch.dtype,
    name: str,
) -> None:
    monkeypatch.setattr(precision, "bfloat16_gain", lambda device: gain)
    chosen = Precision.named("auto", CPU)
    assert chosen == Precision(compute=compute, newton_schulz=newton_schulz)
    assert chosen.name == name


def test_the_environment_names_what_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NVS_PRECISION", "bfloat16")
    assert Precision.named(None, CPU).name == "bfloat16"
    assert Precision.named("float32", CPU).name == "float32"
    monkeypatch.setenv("NVS_PRECISION", "half")
    with pytest.raises(ConfigError, match=r"no precision 'half'.*auto, float32 or bf"):
        Precision.named(None, CPU)


def test_a_machine_is_measured_once(measured: Callable[..., Any]) -> None:
    left = measured(Gain(2.5, 1.5), Gain(9.0, 9.0))
    for _ in range(2):
        assert bfloat16_gain.__wrapped__(CPU) == Gain(2.5, 1.5)
    assert len(left) == 1


@pytest.mark.parametrize("text", ["", "[2.0]", "{}", '["x", "y"]', "3"])
def test_a_damaged_memory_is_measured_again(
    measured: Callable[..., Any], tmp_path: Path, text: str
) -> None:
    measured(Gain(2.5, 1.5), Gain(3.5, 1.5))
    bfloat16_gain.__wrapped__(CPU)
    (memory,) = tmp_path.rglob("*.json")
    memory.write_text(text)
    assert bfloat16_gain.__wrapped__(CPU) == Gain(3.5, 1.5)
    assert bfloat16_gain.__wrapped__(CPU) == Gain(3.5, 1.5)


def test_without_a_cache_folder_it_is_measured_every_time(
    measured: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "lact-nvs").write_text("a file where the folder would be")
    left = measured(Gain(2.5, 1.5), Gain(2.6, 1.5))
    assert bfloat16_gain.__wrapped__(CPU) == Gain(2.5, 1.5)
    assert bfloat16_gain.__wrapped__(CPU) == Gain(2.6, 1.5)
    assert not left


def test_another_processor_is_measured_too(
    measured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    facts = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "PROCESSOR_FACTS", facts)
    measured(Gain(2.5, 1.5), Gain(9.0, 9.0))
    facts.write_text("model name\t: Some CPU @ 2/3 GHz\nflags\t\t: fpu avx512_bf16\n")
    assert precision.processor() == "Some CPU @ 2/3 GHz avx512_bf16"
    assert bfloat16_gain.__wrapped__(CPU) == Gain(2.5, 1.5)
    facts.write_text(
        "model name\t: Some CPU @ 2/3 GHz\nflags\t\t: avx512_bf16 amx_bf16"
    )
    assert bfloat16_gain.__wrapped__(CPU) == Gain(9.0, 9.0)


def test_the_gain_is_how_often_float32_takes_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a clock that the work itself advances."""
    clock = [0.0]
    took = {torch.float32: 6.0, torch.bfloat16: 2.0}

    def work(dtype: torch.dtype) -> None:
        clock[0] += took[dtype]

    monkeypatch.setattr(precision.time, "thread_time", lambda: clock[0])
    assert precision._gain(work) == 3.0


def test_this_machine_can_be_measured() -> None:
    gain = precision._measured_gain()
    assert gain.products > 0
    assert gain.newton_schulz > 0


def test_the_residual_stream_of_a_frame_is_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = ModelConfig(dim=32, num_blocks=1, fast_head_dim=16, attention_head_dim=16)
    renderer = Renderer(random_checkpoint(config), model_id="x", precision="bfloat16")
    views = random_views(1, height=16, width=16)
    scene = renderer.prefill(views)
    seen: list[torch.dtype] = []
    render = Block.render

    def watched(block: Block, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        out = render(block, x, *rest)
        seen.extend([x.dtype, out.dtype])
        return out

    monkeypatch.setattr(Block, "render", watched)
    renderer.render(scene, views.camera)
    assert seen == [torch.float32, torch.float32]
