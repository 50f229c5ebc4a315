"""What networks cost at several numbers of input views (Table 2 of the paper).

Networks of one shape with random weights, on random images; quality plays no part.

A cost c of n views grows as c ∝ n^e, e the slope of log c over log n. That is the power
of the highest term only where this term dominates. Attention among N tokens of width d
costs 4·N·d operations a token, the rest of a block some 32·d² + 4·n·d with n tokens a
view: N must be well over 8·d + n.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np

from nvs.cameras import PoseNormalisation
from nvs.config import ModelConfig
from nvs.errors import ConfigError
from nvs.model.checkpoint import random_checkpoint
from nvs.scene import Renderer
from nvs.scene.bench import random_views
from nvs.scene.precision import pick_device
from nvs_eval.methods.attention import (
    KINDS,
    NUM_REGISTERS,
    AttentionMethod,
    Kind,
    random_network,
)
from nvs_eval.methods.base import Method, synchronise
from nvs_eval.methods.lact import LactMethod

NETWORKS = ("lact", *KINDS)
FRAMES_PER_ROUND = 5
CLOCKS: Mapping[str, Callable[[], float]] = {
    "wall": time.perf_counter,
    "cpu": time.process_time,
}
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, slots=True)
class CostRow:
    """What a network costs at one number of views."""

    network: str
    """`lact`, `full_attention` or `register`."""
    num_views: int
    """Number of input views."""
    state_bytes: int
    """What rendering needs, beside the network."""
    prefill_seconds: float
    """Fastest of the rounds: what else runs on a machine only adds."""
    prefill_noise: float
    """How much longer the slowest round took, as a share of the fastest."""
    milliseconds_per_frame: float
    """Fastest of the rounds."""
    frame_noise: float
    """Of a frame, like `prefill_noise`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exponents:
    """How a network's costs grow with the number of views."""

    network: str
    """`lact`, `full_attention` or `register`."""
    state: float
    """Of the state's size."""
    prefill: float
    """Of the prefill time."""
    prefill_last: float
    """Of the prefill time between the two largest numbers of views, where what does not
    grow matters least."""
    frame: float
    """Of the time of one frame."""


def exponents(rows: Sequence[CostRow]) -> list[Exponents]:
    """Fitted exponents of each network, over all its view counts."""
    result: list[Exponents] = []
    for name in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == name]
        views = [row.num_views for row in own]
        prefill = [row.prefill_seconds for row in own]
        result.append(
            Exponents(
                network=name,
                state=fitted_exponent(views, [row.state_bytes for row in own]),
                prefill=fitted_exponent(views, prefill),
                prefill_last=fitted_exponent(views[-2:], prefill[-2:]),
                frame=fitted_exponent(
                    views, [row.milliseconds_per_frame for row in own]
                ),
            )
        )
    return result


def fitted_exponent(counts: Sequence[int], costs: Sequence[float]) -> float:
    """Slope of log cost over log count by least squares."""
    slope, _ = np.polyfit(np.log(counts), np.log(costs), 1)
    return float(slope)


@dataclass(frozen=True, kw_only=True, slots=True)
class CostSettings:
    """What is measured, and how.

    Raises:
        ConfigError: If a value cannot work.
    """

    view_counts: tuple[int, ...]
    """Numbers of input views, two or more."""
    height: int
    """Of the images, in pixels."""
    width: int
    """Of the images, in pixels."""
    networks: tuple[str, ...] = NETWORKS
    """Of `NETWORKS`."""
    repeats: int = 3
    """Rounds; the fastest counts."""
    num_registers: int = NUM_REGISTERS
    """Of the register network."""
    device: str | None = None
    """See `Renderer`."""
    precision: str | None = None
    """See `Renderer`."""
    budget_bytes: int | None = None
    """Memory for LaCT's activations; the others prefill all views at once."""
    clock: str = "wall"
    """`wall`; or `cpu`, what this process spends on processors, summed over threads:
    with one thread, the time that it would take if nothing else ran."""
    seed: int = 0
    """Of the random weights."""

    def __post_init__(self) -> None:
        for name in self.networks:
            if name not in NETWORKS:
                raise ConfigError(
                    f"there is no network {name!r}",
                    remedy=f"Choose from {', '.join(NETWORKS)}.",
                )
        counts = set(self.view_counts)
        if len(counts) < 2 or min(counts) < 1 or self.repeats < 1:
            raise ConfigError(
                f"view counts are {list(self.view_counts)}, repeats {self.repeats}",
                remedy="Give at least two different view counts and one repeat.",
            )
        device = pick_device(self.device)
        blind = self.clock == "cpu" and device.type != "cpu"
        if self.clock not in CLOCKS or blind:
            raise ConfigError(
                f"the clock {self.clock!r} cannot time {device}",
                remedy="Use wall; or cpu with --device cpu.",
            )


def measure(
    config: ModelConfig,
    settings: CostSettings,
    *,
    report: Callable[[CostRow], None] = lambda row: None,
) -> list[CostRow]:
    """Time prefill and one frame of each network at each number of views.

    A round times every number of views once, so that a machine that slows down for a
    while does so for all of them.
    """
    rows: list[CostRow] = []
    for name in settings.networks:
        method = _method(name, config, settings)
        _Case(method, 1, settings).round()  # loads kernels
        counts = sorted(set(settings.view_counts))
        cases = [_Case(method, count, settings) for count in counts]
        for _ in range(settings.repeats):
            for case in cases:
                case.round()
        for case in cases:
            rows.append(case.row(name))
            report(rows[-1])
    return rows


def _method(name: str, config: ModelConfig, settings: CostSettings) -> Method:
    if name == "lact":
        renderer = Renderer(
            random_checkpoint(config, settings.seed),
            model_id="random",
            device=settings.device,
            precision=settings.precision,
            budget_bytes=settings.budget_bytes,
        )
        return LactMethod(renderer, name=name)
    network = random_network(
        cast("Kind", name),
        config,
        seed=settings.seed,
        num_registers=settings.num_registers,
    )
    device = pick_device(settings.device)
    return AttentionMethod(network, device=device, precision=settings.precision)


class _Case:
    """A network at a number of views, and the times it took."""

    def __init__(self, method: Method, num_views: int, settings: CostSettings) -> None:
        self.method = method
        self.read_clock = CLOCKS[settings.clock]
        self.views = random_views(
            num_views, height=settings.height, width=settings.width
        )
        self.state_bytes = 0
        self.prefill_seconds: list[float] = []
        self.frame_seconds: list[float] = []

    def round(self) -> None:
        """Time one prefill and some frames."""
        built, seconds = self._timed(
            lambda: self.method.build(self.views, PoseNormalisation.none())
        )
        self.state_bytes = built.state_bytes
        self.prefill_seconds.append(seconds)
        for _ in range(FRAMES_PER_ROUND):
            _, seconds = self._timed(lambda: list(built.render(self.views.camera[0])))
            self.frame_seconds.append(seconds)

    def row(self, network: str) -> CostRow:
        """What the rounds found."""
        prefill, frame = min(self.prefill_seconds), min(self.frame_seconds)
        return CostRow(
            network=network,
            num_views=len(self.views),
            state_bytes=self.state_bytes,
            prefill_seconds=prefill,
            prefill_noise=max(self.prefill_seconds) / prefill - 1,
            milliseconds_per_frame=1000 * frame,
            frame_noise=max(self.frame_seconds) / frame - 1,
        )

    def _timed(self, work: Callable[[], Result]) -> tuple[Result, float]:
        synchronise(self.method)
        start = self.read_clock()
        result = work()
        synchronise(self.method)
        return result, self.read_clock() - start
