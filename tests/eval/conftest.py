"""Tiny objects on the GSO rig, tiny weights, runs of them, and no LPIPS."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nvs.cameras import Camera, rays
from nvs.cli import main
from nvs.config import ModelConfig
from nvs.errors import WeightsUnavailableError
from nvs.model.checkpoint import random_checkpoint, save_checkpoint
from nvs.scene.frames import Frame
from nvs_data.rigs import gso_rig
from nvs_data.writers import write_dataset
from nvs_eval.metrics import Metrics
from nvs_eval.runs import RunSettings, run


def sphere_pictures(camera: Camera, hue: float) -> np.ndarray:
    """RGBA pictures of a unit sphere coloured by its normals."""
    origin, direction = rays(camera)
    along = (origin * direction).sum(1)
    root = along.square() - origin.square().sum(1) + 1
    distance = -along - root.clamp(min=0).sqrt()
    point = origin + distance[:, None] * direction
    colour = (point * 0.5 + 0.5).clamp(0, 1) * (1 - hue) + hue * 0.5
    rgba = torch.cat([colour, (root > 0).float()[:, None]], dim=1)
    return (rgba * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="session")
def write_sphere() -> Callable[..., Path]:
    """Writes pictures of a sphere by some cameras as a dataset."""

    def write(folder: Path, camera: Camera, format: str, hue: float = 0.0) -> Path:
        pictures = sphere_pictures(camera, hue)
        frames = [
            Frame(name=f"{index:04d}.png", camera=one, load=lambda p=pixels: p)
            for index, (one, pixels) in enumerate(zip(camera, pictures, strict=True))
        ]
        write_dataset(frames, folder, format=format)
        return folder

    return write


@pytest.fixture(scope="session")
def drawn_objects(
    tmp_path_factory: pytest.TempPathFactory, write_sphere: Callable[..., Path]
) -> Callable[[str], Path]:
    """Draws an object once a session."""
    folder = tmp_path_factory.mktemp("drawn")

    def draw(name: str) -> Path:
        if not (folder / name).is_dir():
            hue = (sum(name.encode()) % 101) / 202
            write_sphere(folder / name, gso_rig(40, 40), "opencv", hue)
        return folder / name

    return draw


@pytest.fixture
def make_object(
    tmp_path: Path, drawn_objects: Callable[[str], Path]
) -> Callable[[str], Path]:
    """A sphere on the rig in `objects/NAME`, each name in its own colours."""

    def make(name: str) -> Path:
        return shutil.copytree(drawn_objects(name), tmp_path / "objects" / name)

    return make


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    config = ModelConfig(dim=32, num_blocks=2, attention_head_dim=16, fast_head_dim=32)
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, config, random_checkpoint(config).state, about={})
    return path


@pytest.fixture
def settings(
    make_object: Callable[[str], Path], weights: Path, tmp_path: Path
) -> RunSettings:
    """A run of three objects at two view counts."""
    for name in ("ball", "globe", "orb"):
        make_object(name)
    return RunSettings(
        protocol="gso",
        data=(str(tmp_path / "objects"),),
        weights=(str(weights),),
        views=(4, 8),
        sizes=((32, 32),),
        out=str(tmp_path / "run"),
        device="cpu",
    )


@pytest.fixture
def folder_of_run(
    make_object: Callable[[str], Path], weights: Path, tmp_path: Path, no_lpips: None
) -> Path:
    """A finished run of two objects, with the pictures of every target."""
    for name in ("ball", "globe"):
        make_object(name)
    settings = RunSettings(
        protocol="gso",
        data=(str(tmp_path / "objects"),),
        weights=(str(weights),),
        views=(4, 8),
        sizes=((32, 32),),
        pictures=-1,
        out=str(tmp_path / "run"),
        device="cpu",
    )
    run(settings)
    return tmp_path / "run"


@pytest.fixture
def no_lpips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without backbones, on which everything else is quick."""

    def refuse(*_: object, **__: object) -> None:
        raise WeightsUnavailableError("no backbone here", remedy="Fetch it.")

    monkeypatch.setattr("nvs_eval.metrics.Lpips", refuse)


@pytest.fixture
def plain_metrics(no_lpips: None) -> Metrics:
    return Metrics(torch.device("cpu"))


@pytest.fixture
def nvs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line here; returns its exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nvs", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
