"""What a run writes down before it begins, and what every row repeats of it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from nvs.scene import PosedViews
from nvs.scene.bench import device_name
from nvs_eval.metrics import Metrics
from nvs_eval.protocols.base import index_hash
from nvs_eval.runs.records import Row, open_run

PACKAGES = (
    *("lact-nvs", "torch", "numpy", "pillow", "scikit-image", "scikit-learn"),
    *("lpips", "torchvision"),
)


def begin(
    out: Path,
    metrics: Metrics,
    *,
    decides: Mapping[str, Any],
    settings: Mapping[str, Any],
    constants: Mapping[str, Any],
    write: bool = True,
) -> Row:
    """Open a run's folder.

    Args:
        out: The folder.
        metrics: What measures.
        decides: All that decides the numbers; its hash is the run's identity.
        settings: What the user asked for.
        constants: What the run's rows have in common.
        write: Whether this process writes the folder.

    Returns:
        The constants with the run's identity, versions and machine.

    Raises:
        OutputError: If the folder holds a run with other settings, or something else.
    """
    identity = index_hash(decides)
    row: Row = {
        **constants,
        "run": identity,
        "versions": versions(),
        "machine": machine(metrics.device),
    }
    if write:
        content = {
            "identity": identity,
            "decides": dict(decides),
            "settings": dict(settings),
            "lpips_sources": metrics.sources,
            "unavailable": metrics.unavailable,
        }
        open_run(out, content | row)
    return row


def data_hash(inputs: PosedViews, targets: PosedViews) -> str:
    """SHA-256 of the pixels and cameras that a scene was evaluated on."""
    digest = hashlib.sha256()
    for views in (inputs, targets):
        camera = views.camera
        for tensor in (views.image, camera.world_from_camera, camera.intrinsics):
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def versions() -> str:
    """Versions of Python and of every package that touches a number, in one line."""
    found = [f"python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def machine(device: torch.device) -> str:
    """The device and the system, in one line."""
    return f"{device_name(device)}, {platform.system()} {platform.release()}"
