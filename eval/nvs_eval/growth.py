"""How a cost c of n views grows: c ∝ n^e, e the slope of log c over log n.

That is the power of the highest term only where this term dominates. Attention among N
tokens of width d costs 4·N·d operations a token, the rest of a block some 32·d² + 4·n·d
with n tokens a view: N must be well over 8·d + n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
