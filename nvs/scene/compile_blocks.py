"""The process that compiles what blocks do: `python -m nvs.scene.compile_blocks ORDER`.

Started by `nvs.scene.compiled`, never by hand. It ends when its standard input does,
with all that it started.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._inductor import aoti_compile_and_package  # pyright: ignore
from torch.export import Dim, export

from nvs.config import ModelConfig
from nvs.files import atomic_output
from nvs.model.attention import MOST_PIECE_TOKENS
from nvs.model.block import Block
from nvs.model.network import LaCTNetwork
from nvs.model.ray_point import Turn, Turns
from nvs.scene.compiled import ABOUT, PIECES, Order
from nvs.scene.compiler import CACHE_SETTING
from nvs.scene.precision import DTYPES, Precision

NICENESS = 19
MOST_VIEWS, MOST_TOKENS = 2**12, 2**18
EXAMPLE_VIEWS = 2
EXAMPLE_TOKENS = {False: 256, True: 2 * MOST_PIECE_TOKENS}
"""Loops are arranged for windows of so many tokens."""


class Shared(nn.Module):
    """A piece of any block: its parameters are given, in order, with its arguments.

    Arguments are the residual stream, fast weights, and the cosines and sines of turns,
    (batch, 1, view, token, pair).
    """

    def __init__(self, config: ModelConfig, name: str, precision: Precision) -> None:
        super().__init__()
        with torch.device("meta"):
            network = LaCTNetwork(config)
        precision.prepare(network)
        self._call = _called(network.layers[0], name, precision)
        self._num_matrices = config.num_fast_matrices
        self.example = _example(network.layers[0], name, config, precision)

    def forward(
        self, parameters: list[Tensor], x: Tensor, rest: list[Tensor]
    ) -> Tensor | tuple[Tensor, ...]:
        """What the piece makes of it."""
        if not rest:
            return self._call(parameters, x)
        weights = tuple(rest[: self._num_matrices])
        angles = [one.flatten(2, 3) for one in rest[self._num_matrices :]]
        turns = Turns(Turn(*angles[:2]), Turn(*angles[2:])) if angles else None
        return self._call(parameters, x, weights, turns)


def compile_piece(order: Order, name: str, folder: Path) -> tuple[float, float]:
    """Compile a piece into a folder.

    Returns:
        Seconds of tracing and of compiling.
    """
    begun = time.perf_counter()
    compute = DTYPES[order.precision]
    precision = Precision(compute=compute, newton_schulz=compute)
    shared = Shared(ModelConfig(**order.config), name, precision)
    parameters, x, rest = shared.example(EXAMPLE_TOKENS[order.long_windows])
    few, many = (
        (MOST_PIECE_TOKENS + 1, MOST_TOKENS)
        if order.long_windows
        else (1, MOST_PIECE_TOKENS)
    )
    view = Dim("view", min=1, max=MOST_VIEWS)
    token = Dim("token", min=few, max=many)
    fixed: dict[int, Any] = {}
    turned = [{2: view, 3: token} if one.ndim == 5 else fixed for one in rest]
    with torch.no_grad():
        program = export(
            shared,
            (parameters, x, rest),
            dynamic_shapes=([fixed] * len(parameters), {1: view, 2: token}, turned),
        )
    traced = time.perf_counter()
    package = folder.with_suffix(".pt2")
    aoti_compile_and_package(program, package_path=str(package))
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder.parent)  # its files are under its name
    package.unlink()
    return traced - begun, time.perf_counter() - traced


def _called(
    block: Block, name: str, precision: Precision
) -> Callable[..., Tensor | tuple[Tensor, ...]]:
    """A method of a block, as a function of its parameters too."""

    class Method(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block

        def forward(self, *args: Any) -> Any:
            return getattr(self.block, name)(*args)

    method = Method()
    names = [name for name, _ in method.named_parameters()]

    def call(parameters: list[Tensor], *args: Any) -> Any:
        given = dict(zip(names, parameters, strict=True))
        with precision.autocast(torch.device("cpu")):
            return torch.func.functional_call(method, given, args)

    return call


def _example(
    block: Block, name: str, config: ModelConfig, precision: Precision
) -> Callable[[int], tuple[list[Tensor], Tensor, list[Tensor]]]:
    """Makes arguments of a number of tokens a view, of which only shapes matter."""

    def example(num_tokens: int) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        parameters = [torch.empty_like(p, device="cpu") for p in block.parameters()]
        x = torch.zeros(1, EXAMPLE_VIEWS, num_tokens, config.dim)
        rest: list[Tensor] = []
        if name != "attend":
            rest += [
                torch.empty(1, *w.shape, dtype=precision.compute)
                for w in block.lact.initial
            ]
            if config.has_positions:
                rest += [
                    torch.zeros(1, 1, EXAMPLE_VIEWS, num_tokens, width // 2)
                    for width in (config.fast_head_dim, config.fast_hidden_dim)
                    for _ in range(2)
                ]
        return parameters, x, rest

    return example


def _end_with_standard_input(leaves: Path) -> None:
    while os.read(0, 1):
        pass
    shutil.rmtree(leaves, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Compile what is ordered into its folder."""
    order = Order(**json.loads(sys.argv[1]))
    os.nice(NICENESS)
    torch.set_num_threads(order.threads)
    with atomic_output(order.folder) as folder:
        threading.Thread(
            target=_end_with_standard_input, args=(folder.parent,), daemon=True
        ).start()
        os.environ[CACHE_SETTING] = str(folder.parent / "inductor")
        folder.mkdir()
        tracing, compiling = zip(
            *(compile_piece(order, name, folder / name) for name in PIECES), strict=True
        )
        about = {
            **json.loads(sys.argv[1]),
            "tracing_seconds": sum(tracing),
            "compiling_seconds": sum(compiling),
        }
        (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
