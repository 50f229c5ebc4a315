"""Which numbers the network computes with, said once and in one place."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass

import torch
from torch import nn

from nvs.errors import ConfigError
from nvs.model import LaCTNetwork

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
NATIVE_GAIN = 1.3
"""How many times float32's rate bfloat16 must reach to be taken."""
PROBE_SHAPE = (1024, 256, 768)
PROBE_REPEATS = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """The precision of matrix products; residuals, norms and rates stay float32."""

    compute: torch.dtype
    """Of linear layers, attention and the fast network."""
    newton_schulz: torch.dtype
    """Of the orthogonalisation in prefill."""

    @staticmethod
    def named(name: str | None, device: torch.device) -> Precision:
        """The precision of a name, or what suits the device.

        `float32` is the reference, everywhere float32. `bfloat16` also runs the
        orthogonalisation in bfloat16, as the released models were trained. Without a
        name: bfloat16 on CUDA devices that have it, float32 elsewhere (most processors
        only emulate bfloat16).

        Raises:
            ConfigError: If the name is neither.
        """
        if name is None:
            fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
            name = "bfloat16" if fast else "float32"
        if name not in DTYPES:
            raise ConfigError(
                f"there is no precision {name!r}", remedy=f"Use {' or '.join(DTYPES)}."
            )
        return Precision(compute=DTYPES[name], newton_schulz=DTYPES[name])

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return str(self.compute).removeprefix("torch.")

    def prepare(self, network: LaCTNetwork) -> None:
        """Cast the weights of matrix products in place."""
        network.set_newton_schulz_dtype(self.newton_schulz)
        rates = {block.lact.learning_rate for block in network.layers}
        for module in network.modules():
            if isinstance(module, nn.Linear) and module not in rates:
                module.to(self.compute)

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which the network runs."""
        return torch.autocast(
            device.type, self.compute, enabled=self.compute != torch.float32
        )


@functools.cache
def bfloat16_gain(device: torch.device) -> float:
    """How many times as fast as in float32 a product is in bfloat16.

    On a processor it is measured, once a process, by products of a network's shape:
    ten milliseconds or so. Those with matrix or dot-product instructions for bfloat16
    reach 2 to 12, those that only emulate it stay below 1. An accelerator is asked
    instead: infinity if it has bfloat16, else 0.
    """
    if device.type != "cpu":
        supported = device.type == "cuda" and torch.cuda.is_bf16_supported(
            including_emulation=False
        )
        return math.inf if supported else 0.0
    rows, inner, columns = PROBE_SHAPE
    seconds = dict.fromkeys(DTYPES, math.inf)
    for _ in range(PROBE_REPEATS):
        for name, dtype in DTYPES.items():
            a = torch.ones(rows, inner, dtype=dtype)
            b = torch.ones(inner, columns, dtype=dtype)
            start = time.perf_counter()
            torch.mm(a, b)
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds["float32"] / seconds["bfloat16"]


def faster_dtype(gain: float) -> torch.dtype:
    """bfloat16 where it gains enough over float32 to be native."""
    return torch.bfloat16 if gain >= NATIVE_GAIN else torch.float32


def pick_device(name: str | None) -> torch.device:
    """The device of a name; without one, the first CUDA device or the CPU.

    Raises:
        ConfigError: If the device does not exist here.
    """
    if name in (None, "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"device {name!r} cannot be used ({str(error).splitlines()[0]})",
            remedy="Use cpu, or cuda where there is a CUDA device and a CUDA torch.",
        ) from error
    return device
