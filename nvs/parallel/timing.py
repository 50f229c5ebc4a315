"""How long several devices take to build a scene: compute, and what they send.

Notation:
    n, N        views, ranks
    C           seconds in which one rank does all that is done for each view
    S           seconds in which it makes all directions (Newton–Schulz)
    m           matrices of a block's fast weights, dealt to the ranks
    b, B        blocks; bytes of their gradients and directions
                (`cost.prefill_exchange_bytes`)
    w, l        bytes a second and seconds a message of the link between two ranks

    seconds = C·⌈n/N⌉/n + S·⌈m/N⌉/m + B/w + 2·(N − 1)·b·l

The last two are a chain of N − 1 messages a block, at whose end a matrix's gradient is
summed where its direction is made, and one back with the direction: no link carries
more than all of them. Nothing is sent while views are worked on: a direction needs the
whole sum, and all that follows needs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from nvs.config import ModelConfig
from nvs.model import cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What connects two ranks."""

    bytes_per_second: float
    """In one direction, as all-reduce reaches it."""
    latency_seconds: float
    """Of one message."""


LINKS = {
    "NVLink 4": Link(bytes_per_second=350e9, latency_seconds=5e-6),
    "PCI Express 5 ×16": Link(bytes_per_second=50e9, latency_seconds=8e-6),
    "InfiniBand 400 Gb/s": Link(bytes_per_second=45e9, latency_seconds=10e-6),
    "Ethernet 100 Gb/s": Link(bytes_per_second=11e9, latency_seconds=30e-6),
    "Ethernet 10 Gb/s": Link(bytes_per_second=1.1e9, latency_seconds=50e-6),
}
"""Nominal rates, less what protocols take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrefillTime:
    """Seconds of a prefill by part."""

    views: float
    """What is done for each view, of the rank that has most."""
    steps: float
    """The directions of all blocks, of the rank that makes most."""
    exchanges: float
    """What the ranks send each other."""

    @property
    def total(self) -> float:
        """From the first to the last."""
        return self.views + self.steps + self.exchanges


def exchange_seconds(
    num_bytes: int, num_blocks: int, *, ranks: int, link: Link
) -> float:
    """Seconds of the exchanges of some blocks, of so many bytes together."""
    if ranks == 1:
        return 0.0
    latency = 2 * (ranks - 1) * num_blocks * link.latency_seconds
    return num_bytes / link.bytes_per_second + latency


def shared_time(
    alone: PrefillTime,
    *,
    num_views: int,
    num_matrices: int,
    ranks: int,
    exchanges: float,
) -> PrefillTime:
    """The time of several ranks, from that of one and what their exchanges take."""
    return PrefillTime(
        views=alone.views * _most(num_views, ranks),
        steps=alone.steps * _most(num_matrices, ranks),
        exchanges=exchanges,
    )


def _most(count: int, ranks: int) -> float:
    """The share of the rank that has most of some things."""
    return -(-count // ranks) / count


def prefill_time(
    config: ModelConfig,
    *,
    num_views: int,
    height: int,
    width: int,
    ranks: int,
    flops_per_second: float,
    link: Link,
) -> PrefillTime:
    """What a prefill takes on ranks that compute at a rate."""
    whole = cost.prefill_flops(config, num_views=num_views, height=height, width=width)
    steps = cost.prefill_step_flops(config)
    alone = PrefillTime(
        views=(whole - steps) / flops_per_second,
        steps=steps / flops_per_second,
        exchanges=0.0,
    )
    exchanges = exchange_seconds(
        cost.prefill_exchange_bytes(config), config.num_blocks, ranks=ranks, link=link
    )
    return shared_time(
        alone,
        num_views=num_views,
        num_matrices=cost.num_matrices(config),
        ranks=ranks,
        exchanges=exchanges,
    )
