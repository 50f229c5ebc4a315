"""The blocks of a renderer, compiled once for a processor and kept on disk.

A block does three things to a group of views: it attends, it writes, and it finishes
once its fast weights are known; a frame is the first and the last. Each is one compiled
function, which all blocks share, whatever the resolution and the number of views. Long
windows are attended to in another way than short ones, and have functions of their own.

Another process compiles (`nvs.scene.compile_blocks`), with the least priority, and ends
with this one. Blocks run as they are until it is done, and where it fails. Code is kept
in the user's cache folder under what it depends on: another start only loads it.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import torch
from platformdirs import user_cache_path
from torch import Tensor

import nvs.model
from nvs.config import ModelConfig
from nvs.model.attention import MOST_PIECE_TOKENS
from nvs.model.network import LaCTNetwork
from nvs.scene.compiler import compiler, is_cut_short, no_compiler
from nvs.scene.precision import Precision, processor

PIECES = ("attend", "write", "finish")
"""The methods of a block that are compiled."""
ABOUT = "about.json"
COMPILING = "nvs.scene.compile_blocks"

_logger = logging.getLogger("nvs.scene")

Piece = Callable[[list[Tensor]], list[Tensor]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """Everything that compiled code depends on."""

    config: dict[str, Any]
    """Of a network with one block."""
    precision: str
    """Of matrix products."""
    threads: int
    long_windows: bool
    processor: str
    torch: str
    sources: str
    """Digest of the code that is compiled, and of what compiles it."""

    @staticmethod
    def of(config: ModelConfig, precision: Precision, *, long_windows: bool) -> Order:
        """What this process needs."""
        return Order(
            config=asdict(config) | {"num_blocks": 1},
            precision=str(precision.compute).removeprefix("torch."),
            threads=torch.get_num_threads(),
            long_windows=long_windows,
            processor=f"{processor()} {torch.backends.cpu.get_cpu_capability()}",
            torch=torch.__version__,
            sources=_sources(),
        )

    @property
    def folder(self) -> Path:
        """Where its code is kept."""
        told = json.dumps(asdict(self), sort_keys=True)
        name = sha256(told.encode()).hexdigest()[:32]
        return user_cache_path("lact-nvs") / "blocks" / name


class CompiledBlocks:
    """Has the blocks of a network run compiled as soon as that is possible.

    Args:
        network: Its blocks' methods are replaced; for inference only.
        precision: What the network is prepared for.
        device: Where it is. Blocks are compiled for processors.
    """

    def __init__(
        self, network: LaCTNetwork, precision: Precision, device: torch.device
    ) -> None:
        self._config = network.config
        self._precision = precision
        self._device = device
        self._lock = threading.Lock()
        self._making: dict[bool, threading.Thread | None] = {}
        self._ready: dict[bool, dict[str, Piece]] = {}
        for block in network.layers:
            parameters: list[Tensor] = list(block.parameters())
            for name in PIECES:
                run = functools.partial(
                    self._run, name, getattr(block, name), parameters
                )
                setattr(block, name, run)

    @property
    def is_ready(self) -> bool:
        """Whether images of some size run compiled."""
        return bool(self._ready)

    def wait(self, num_tokens: int, say: Callable[[str], None]) -> bool:
        """Wait until views of some size run compiled.

        Args:
            num_tokens: Tokens of a view.
            say: Called with a line if there is something to wait for.

        Returns:
            Whether they do; if not, they never will.
        """
        long_windows = num_tokens > MOST_PIECE_TOKENS
        self.begin(long_windows=long_windows)
        making = self._making[long_windows]
        if making is not None and making.is_alive():
            say("compiling for this machine, once; this takes a few minutes")
            making.join()
        return long_windows in self._ready

    def _run(
        self,
        name: str,
        eager: Callable[..., Any],
        parameters: list[Tensor],
        x: Tensor,
        *rest: Any,
    ) -> Any:
        """A piece of a block, for which one scene is worked on at a time."""
        long_windows = x.shape[2] > MOST_PIECE_TOKENS
        pieces = self._ready.get(long_windows)
        if pieces is None:
            self.begin(long_windows=long_windows)
            return eager(x, *rest)
        compute = self._precision.compute
        given = [*parameters, x.float(), *_flat(rest, x.shape[1], compute)]
        made = pieces[name]([one.contiguous() for one in given])
        return tuple(made) if name == "write" else made[0]

    def begin(self, *, long_windows: bool = False) -> None:
        """Load the code, or have it made if it is not there; the first time only.

        Whoever runs a block or waits begins too.

        Args:
            long_windows: Whether windows are long.
        """
        with self._lock:
            if long_windows in self._making:
                return
            self._making[long_windows] = None
            if compiler(self._device) is None or self._device.type != "cpu":
                _say_eager(
                    no_compiler(self._device)
                    if self._device.type == "cpu"
                    else "blocks are compiled for processors only"
                )
                return
            order = Order.of(self._config, self._precision, long_windows=long_windows)
            if self._load(order) is None:
                return
            thread = threading.Thread(
                target=self._make, args=(order,), name="compiling", daemon=True
            )
            self._making[long_windows] = thread
            thread.start()

    def _make(self, order: Order) -> None:
        problem = _compile(order) or self._load(order)
        if problem is not None:
            _say_eager(problem)

    def _load(self, order: Order) -> str | None:
        """Have the code of an order run from now on, or say why not."""
        try:
            self._ready[order.long_windows] = {
                name: _load(order.folder / name) for name in PIECES
            }
        except (OSError, RuntimeError) as error:
            return str(error).splitlines()[0]
        return None


def _say_eager(reason: str) -> None:
    _logger.warning("the network runs as it is, not compiled: %s", reason)


def _flat(
    rest: tuple[Any, ...], num_views: int, compute: torch.dtype
) -> Iterator[Tensor]:
    """Fast weights and turns as a compiled piece takes them."""
    if not rest:
        return
    weights, turns = rest
    for weight in weights:
        yield weight.to(compute)
    for turn in turns or ():
        for angles in turn:
            yield angles.unflatten(2, (num_views, -1))


def _load(folder: Path) -> Piece:
    for library in folder.rglob("*.so"):
        if is_cut_short(library):
            raise OSError(f"{library} is cut short")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no {folder}")
    made: Any = torch._C._aoti.AOTIModelPackageLoader(  # pyright: ignore
        str(folder), "model", False, 1, -1
    )
    return cast("Piece", made.boxed_run)


def _compile(order: Order) -> str | None:
    """Have another process compile; the last thing that it said if it fails."""
    child = subprocess.Popen(
        [sys.executable, "-m", COMPILING, json.dumps(asdict(order))],
        stdin=subprocess.PIPE,  # closed when this process ends, and the child with it
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "1"},
        start_new_session=True,
    )
    assert child.stdin is not None, "it is a pipe"
    assert child.stderr is not None, "so is this"
    with child.stdin, child.stderr:
        said = child.stderr.read().splitlines()
        code = child.wait()
    if code == 0:
        return None
    return f"compiling ended with {code}: {said[-1] if said else 'nothing was said'}"


@functools.cache
def _sources() -> str:
    digest = sha256()
    model = Path(nvs.model.__file__).parent
    for file in (
        *sorted(model.glob("*.py")),
        Path(__file__).with_name("compile_blocks.py"),
    ):
        digest.update(file.read_bytes())
    return digest.hexdigest()
