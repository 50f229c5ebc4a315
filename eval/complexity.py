"""How cost grows with the number of input views (Table 2 of the paper).

Networks of one shape with random weights, on random images; quality plays no part.
A cost c of n views is fitted as c ∝ n^e: e is the slope of log c over log n.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from eval.methods.attention import NUM_REGISTERS
from eval.methods.attention_method import AttentionMethod
from eval.methods.attention_weights import random_network
from eval.methods.base import Method
from eval.methods.lact import LactMethod
from nvs.cameras import PoseNormalisation, orbit
from nvs.config import ModelConfig
from nvs.errors import ConfigError
from nvs.model.checkpoint import random_checkpoint
from nvs.scene import PosedViews, Renderer
from nvs.scene.precision import pick_device

NETWORKS = ("lact", "full_attention", "register")


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
    """Fastest of the repeats."""
    milliseconds_per_frame: float
    """Fastest of the repeats."""

    def to_json(self) -> dict[str, Any]:
        """All fields as a plain dictionary."""
        return asdict(self)


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


def measure(
    config: ModelConfig,
    *,
    networks: Sequence[str] = NETWORKS,
    view_counts: Sequence[int],
    height: int,
    width: int,
    repeats: int,
    num_registers: int = NUM_REGISTERS,
    device: str | None = None,
    precision: str | None = None,
    seed: int = 0,
    report: Callable[[CostRow], None] = lambda row: None,
) -> list[CostRow]:
    """Time prefill and one frame of each network at each number of views.

    Raises:
        ConfigError: If a network is unknown, or there are not two view counts.
    """
    if len(set(view_counts)) < 2 or min(view_counts) < 1 or repeats < 1:
        raise ConfigError(
            f"view counts are {list(view_counts)}, repeats {repeats}",
            remedy="Give at least two different view counts and one repeat.",
        )
    rows: list[CostRow] = []
    for name in networks:
        method = _method(name, config, num_registers, device, precision, seed)
        _measure(method, name, 1, height, width, 1)  # loads kernels
        for count in sorted(set(view_counts)):
            rows.append(_measure(method, name, count, height, width, repeats))
            report(rows[-1])
    return rows


def exponents(rows: Sequence[CostRow]) -> list[Exponents]:
    """Fitted exponents of each network, over all its view counts."""
    result: list[Exponents] = []
    for name in dict.fromkeys(row.network for row in rows):
        own = [row for row in rows if row.network == name]
        views = [row.num_views for row in own]
        result.append(
            Exponents(
                network=name,
                state=fitted_exponent(views, [row.state_bytes for row in own]),
                prefill=fitted_exponent(views, [row.prefill_seconds for row in own]),
                prefill_last=fitted_exponent(
                    views[-2:], [row.prefill_seconds for row in own[-2:]]
                ),
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


def _method(
    name: str,
    config: ModelConfig,
    num_registers: int,
    device: str | None,
    precision: str | None,
    seed: int,
) -> Method:
    if name == "lact":
        renderer = Renderer(
            random_checkpoint(config, seed),
            model_id="random",
            device=device,
            precision=precision,
        )
        return LactMethod(renderer, name=name)
    if name in ("full_attention", "register"):
        network = random_network(name, config, seed=seed, num_registers=num_registers)
        return AttentionMethod(network, device=pick_device(device), precision=precision)
    raise ConfigError(
        f"there is no network {name!r}", remedy=f"Choose from {', '.join(NETWORKS)}."
    )


def _measure(
    method: Method, name: str, num_views: int, height: int, width: int, repeats: int
) -> CostRow:
    camera = orbit(
        num_views,
        radius=2.7,
        elevation_radians=0.35,
        hfov_radians=0.87,
        height=height,
        width=width,
    )
    generator = torch.Generator().manual_seed(0)
    views = PosedViews(
        image=torch.rand(num_views, 3, height, width, generator=generator),
        camera=camera,
        names=tuple(map(str, range(num_views))),
    )
    none = PoseNormalisation.none()
    built = method.build(views, none)
    return CostRow(
        network=name,
        num_views=num_views,
        state_bytes=built.state_bytes,
        prefill_seconds=_fastest(method, lambda: method.build(views, none), repeats),
        milliseconds_per_frame=1000
        * _fastest(method, lambda: list(built.render(camera[0])), 5 * repeats),
    )


def _fastest(method: Method, work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some repeats: what else runs here only adds."""
    times: list[float] = []
    for _ in range(repeats):
        method.synchronise()
        start = time.perf_counter()
        work()
        method.synchronise()
        times.append(time.perf_counter() - start)
    return min(times)
