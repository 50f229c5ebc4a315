"""Which pairs of photographs to match."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

Matching = Literal["auto", "exhaustive", "sequential"]

MAX_EXHAUSTIVE = 150
"""Photographs up to which all pairs are matched: 11,175 of them, which take some
twenty minutes on one core."""
OVERLAP = 10
"""Photographs before and after each that are its neighbours in a sequence."""
CLOSING_STRIDE = 10
"""Of a sequence every tenth photograph is matched with every other such one, so that a
path that comes back closes, at a hundredth of the cost of all pairs."""


def photo_pairs(names: Sequence[str], matching: Matching) -> list[tuple[str, str]]:
    """Pairs to match, each once, the earlier photograph first."""
    if matching == "auto":
        matching = "exhaustive" if len(names) <= MAX_EXHAUSTIVE else "sequential"
    if matching == "exhaustive":
        return list(combinations(names, 2))
    return [
        (names[first], names[second])
        for first, second in combinations(range(len(names)), 2)
        if second - first <= OVERLAP
        or (first % CLOSING_STRIDE == 0 and second % CLOSING_STRIDE == 0)
    ]
