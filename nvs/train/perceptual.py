"""LPIPS with a VGG-16 backbone, loaded only when a run wants it."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType
from urllib.error import URLError

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nvs.errors import MissingExtraError, WeightsUnavailableError

BACKBONE_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""Operators that importing torchvision refers to, though VGG-16 uses none of them."""

_libraries: list[torch.library.Library] = []


class Perceptual(nn.Module):
    """Mean LPIPS between images in [0, 1].

    Raises:
        MissingExtraError: If the package `lpips` is not installed.
        WeightsUnavailableError: If the backbone's weights cannot be had.
    """

    def __init__(self, backbone: Path | str | None = None) -> None:
        super().__init__()
        _import_torchvision()
        try:
            lpips = importlib.import_module("lpips")
        except ImportError as error:
            raise MissingExtraError("lpips", "train") from error
        state = _backbone_state(backbone)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
        _load_backbone(self.network.net, state, backbone or BACKBONE_URL)
        self.requires_grad_(False)
        self.eval()

    def forward(
        self,
        rendered: Float[Tensor, "image 3 height width"],
        truth: Float[Tensor, "image 3 height width"],
    ) -> Float[Tensor, ""]:
        """Mean distance over the images."""
        return self.network(rendered, truth, normalize=True).float().mean()


def _backbone_state(backbone: Path | str | None) -> dict[str, Tensor]:
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(BACKBONE_URL).name
    remedy = (
        f"Download {BACKBONE_URL} elsewhere and name the file with "
        f"--set lpips_backbone=FILE (or put it at {cached}), "
        "or train without: --set lpips_weight=0."
    )
    if backbone is not None:
        if not Path(backbone).is_file():
            raise WeightsUnavailableError(f"there is no file {backbone}", remedy=remedy)
        try:
            return torch.load(backbone, map_location="cpu", weights_only=True)
        except Exception as error:
            raise WeightsUnavailableError(
                f"{backbone} is not a plain tensor file ({_first_line(error)})",
                remedy=remedy,
            ) from error
    try:
        return torch.hub.load_state_dict_from_url(
            BACKBONE_URL, map_location="cpu", progress=False, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsUnavailableError(
            f"the LPIPS backbone is not at {cached} and cannot be downloaded "
            f"({_first_line(error)})",
            remedy=remedy,
        ) from error


def _load_backbone(
    network: nn.Module, state: dict[str, Tensor], source: Path | str
) -> None:
    """Copy VGG-16's `features` into the slices that LPIPS cuts them into.

    A slice's modules keep their index in `features` as their name.
    """
    for name, parameter in network.named_parameters():
        index, kind = name.split(".")[-2:]
        key = f"features.{index}.{kind}"
        if key not in state or state[key].shape != parameter.shape:
            raise WeightsUnavailableError(
                f"{source} is not a VGG-16: {key} is missing or misshapen",
                remedy=f"Give the file from {BACKBONE_URL}.",
            )
        parameter.data.copy_(state[key])


def _import_torchvision() -> ModuleType:
    """Import torchvision, also beside a torch that its compiled half does not fit."""
    for _ in range(len(SCHEMAS) + 1):
        try:
            return importlib.import_module("torchvision")
        except ImportError as error:
            raise MissingExtraError("torchvision", "train") from error
        except RuntimeError as error:
            missing = re.search(
                r"operator torchvision::(\w+) does not exist", str(error)
            )
            if missing is None or missing[1] not in SCHEMAS:
                raise
            library = torch.library.Library(
                "torchvision", "DEF" if not _libraries else "FRAGMENT"
            )
            library.define(SCHEMAS[missing[1]])
            _libraries.append(library)
            for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
                del sys.modules[name]
    raise AssertionError("each round defines another operator")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
