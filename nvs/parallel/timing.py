"""How long several devices take to build a scene: compute, and what they send.

Notation:
    n, N        views, ranks
    C           seconds in which one rank does all that is done for each view
    S           seconds of the steps, which every rank takes (Newton–Schulz)
    b, B        blocks; bytes of the gradients of all of them (`cost.prefill_sum_bytes`)
    w, l        bytes a second and seconds a message of the link between two ranks

    seconds = C·⌈n/N⌉/n + S + 2·(N − 1)/N·B/w + 2·(N − 1)·b·l

The last two are a ring all-reduce a block: 2·(N − 1) messages, each of an N-th of the
block's gradients. Nothing is sent while a rank computes: the step needs the whole sum.
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
    """The steps of all blocks, on every rank."""
    sums: float
    """The sums over the ranks."""

    @property
    def total(self) -> float:
        """From the first to the last."""
        return self.views + self.steps + self.sums


def sum_seconds(num_bytes: int, num_sums: int, *, ranks: int, link: Link) -> float:
    """Seconds of some sums over ranks, of so many bytes together."""
    hops = 2 * (ranks - 1)
    bandwidth = hops / ranks * num_bytes / link.bytes_per_second
    return bandwidth + hops * num_sums * link.latency_seconds


def shared_time(
    alone: PrefillTime, *, num_views: int, ranks: int, sums: float
) -> PrefillTime:
    """The time of several ranks, from that of one and what their sums take."""
    most = -(-num_views // ranks)
    return PrefillTime(
        views=alone.views * most / num_views, steps=alone.steps, sums=sums
    )


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
        sums=0.0,
    )
    sums = sum_seconds(
        cost.prefill_sum_bytes(config), config.num_blocks, ranks=ranks, link=link
    )
    return shared_time(alone, num_views=num_views, ranks=ranks, sums=sums)
