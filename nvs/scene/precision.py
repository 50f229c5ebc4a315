"""Which numbers the network computes with, said once and in one place."""

from __future__ import annotations

import functools
import json
import math
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn

from nvs.errors import ConfigError, OutputError
from nvs.files import write_text
from nvs.model import LaCTNetwork
from nvs.model.newton_schulz import orthogonalise

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
AUTO = "auto"
SETTING = "NVS_PRECISION"
"""Environment variable that names the precision where nobody else does."""
NATIVE_GAIN = 1.3
"""How many times float32's rate bfloat16 must reach to be taken."""
PROBE_SHAPE = (1024, 256, 768)
PROBE_MATRICES = (4, 256, 512)
PROBE_REPEATS = 8
PROCESSOR_FACTS = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")


class Gain(NamedTuple):
    """How many times as fast as in float32 something is in bfloat16."""

    products: float
    """A product of a linear layer's shape."""
    newton_schulz: float
    """The orthogonalisation of fast weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """The precision of matrix products; residuals, norms and rates stay float32."""

    compute: torch.dtype
    """Of linear layers, attention and the fast network."""
    newton_schulz: torch.dtype
    """Of the orthogonalisation in prefill."""

    @staticmethod
    def named(name: str | None, device: torch.device) -> Precision:
        """The precision of a name.

        `float32` is the reference, everywhere float32. `bfloat16` also runs the
        orthogonalisation in bfloat16, as the released models were trained. `auto`
        takes bfloat16 for each of the two where the device is natively faster in it
        (`bfloat16_gain`).

        Args:
            name: One of them; if absent what NVS_PRECISION says, else `auto`.
            device: What computes.

        Raises:
            ConfigError: If the name is none of them.
        """
        name = name or os.environ.get(SETTING, "") or AUTO
        if name == AUTO:
            gain = bfloat16_gain(device)
            return Precision(
                compute=faster_dtype(gain.products),
                newton_schulz=faster_dtype(gain.newton_schulz),
            )
        if name not in DTYPES:
            raise ConfigError(
                f"there is no precision {name!r}",
                remedy=f"Use {AUTO}, {' or '.join(DTYPES)}.",
            )
        return Precision(compute=DTYPES[name], newton_schulz=DTYPES[name])

    @property
    def name(self) -> str:
        """What computes, such as `bfloat16`; the orthogonalisation if it differs."""
        compute, newton_schulz = (
            str(dtype).removeprefix("torch.")
            for dtype in (self.compute, self.newton_schulz)
        )
        if compute == newton_schulz:
            return compute
        return f"{compute}, Newton–Schulz {newton_schulz}"

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
def bfloat16_gain(device: torch.device) -> Gain:
    """How much faster than in float32 the device is in bfloat16.

    On a processor it is measured, once a machine: some 50 milliseconds of products of
    a network's shapes, remembered in the user's cache folder under the processor's
    name. Processors with matrix or dot-product instructions for bfloat16 reach 2 to
    12, those that only emulate it stay below 1. An accelerator is asked instead:
    infinity if it has bfloat16, else 0.
    """
    if device.type != "cpu":
        supported = device.type == "cuda" and torch.cuda.is_bf16_supported(
            including_emulation=False
        )
        return Gain(*[math.inf if supported else 0.0] * 2)
    folder = user_cache_path("lact-nvs") / "bfloat16"
    memory = folder / f"{_file_name(processor())} torch {torch.__version__}.json"
    with suppress(OSError, ValueError, TypeError):
        return Gain(*map(float, json.loads(memory.read_text(encoding="utf-8"))))
    gain = _measured_gain()
    with suppress(OutputError):
        write_text(memory, json.dumps(gain))
    return gain


def processor() -> str:
    """The processor's name, and the bfloat16 instructions that it offers."""
    name, flags = platform.processor() or platform.machine(), ""
    with suppress(OSError):
        for line in PROCESSOR_FACTS.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() in ("flags", "Features"):
                flags = value
                break
    offered = [flag for flag in BFLOAT16_FLAGS if flag in flags.split()]
    return " ".join([name, *offered])


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in " ._-" else "_" for c in text)


def _measured_gain() -> Gain:
    """Of one thread, by the time that it runs: neighbours must not decide."""
    rows, inner, columns = PROBE_SHAPE

    def product(dtype: torch.dtype) -> Tensor:
        a = torch.ones(rows, inner, dtype=dtype)
        return a @ torch.ones(inner, columns, dtype=dtype)

    matrices = torch.rand(*PROBE_MATRICES)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return Gain(
            products=_gain(product),
            newton_schulz=_gain(
                lambda dtype: orthogonalise(matrices, num_steps=1, dtype=dtype)
            ),
        )
    finally:
        torch.set_num_threads(threads)


def _gain(work: Callable[[torch.dtype], object]) -> float:
    """How often as long as in bfloat16 this thread computes in float32."""
    seconds = dict.fromkeys(DTYPES, math.inf)
    for _ in range(PROBE_REPEATS):
        for name, dtype in DTYPES.items():
            start = time.thread_time()
            work(dtype)
            seconds[name] = min(seconds[name], time.thread_time() - start)
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
