"""What else decides numbers: versions of packages, and the machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from nvs.scene.bench import device_name

PACKAGES = (
    *("lact-nvs", "torch", "numpy", "pillow", "scikit-image", "scikit-learn"),
    *("lpips", "torchvision"),
)


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
