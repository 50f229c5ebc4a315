"""Runs `nvs` in this process and returns what a user would see."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nvs.cameras import orbit
from nvs.cli import main
from nvs.config import ModelConfig
from nvs.model.checkpoint import random_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


Nvs = Callable[..., Result]


@pytest.fixture
def nvs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Nvs:
    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["nvs", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    config = ModelConfig(dim=32, num_blocks=2, attention_head_dim=16, fast_head_dim=32)
    path = tmp_path / "net.safetensors"
    state = random_checkpoint(config).state
    save_checkpoint(path, config, state, about={"steps": 0})
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Eight 32×48 views of the published layout."""
    folder = tmp_path / "set"
    folder.mkdir()
    camera = orbit(
        8, radius=2.7, elevation_radians=0.3, hfov_radians=0.9, height=32, width=48
    )
    frames: list[dict[str, Any]] = []
    for index, one in enumerate(camera):
        pixels = torch.randint(0, 256, (32, 48, 3), dtype=torch.uint8).numpy()
        Image.fromarray(pixels).save(folder / f"{index}.png")
        fx, fy, cx, cy = one.intrinsics[0].tolist()
        frames.append(
            {"w": 48, "h": 32, "fx": fx, "fy": fy, "cx": cx, "cy": cy}
            | {"w2c": torch.linalg.inv(one.world_from_camera[0]).tolist()}
            | {"file_path": f"{index}.png"}
        )
    (folder / "opencv_cameras.json").write_text(json.dumps(frames))
    return folder


@pytest.fixture
def scene(nvs: Nvs, dataset: Path, weights: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a.scene"
    done = nvs("build", dataset, "-o", path, "--weights", weights)
    assert done.code == 0, done.err
    return path
