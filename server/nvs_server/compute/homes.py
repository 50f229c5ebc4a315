"""Which worker renders which scene, so that scenes are where they were."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, OrderedDict
from collections.abc import Sequence

SPREAD = 1.2
"""A worker is home to at most so many times its share of the scenes."""
MOST_SCENES = 4096
"""Scenes that are remembered: those that were asked for last."""


class Homes:
    """Rendezvous hashing with bounded loads (Mirrokni et al., arXiv:1608.01350).

    A scene's home is the worker that hashing chooses, which gateways then agree on,
    unless that one has its share already: hashes alone may give one worker more scenes
    than it has room for while another has few. A worker that is lost takes only its own
    scenes along.
    """

    def __init__(self) -> None:
        self._homes: OrderedDict[str, int] = OrderedDict()
        self._counts: Counter[int] = Counter()

    def ranked(self, scene: str, ranks: Sequence[int]) -> list[int]:
        """Workers in the order in which a scene goes to them, its home first.

        Args:
            scene: The scene's digest.
            ranks: Numbers of the workers that can take requests, at least one.
        """
        by_hash = sorted(ranks, key=lambda rank: _score(scene, rank), reverse=True)
        home = self._homes.pop(scene, None)
        if home is not None:
            self._counts[home] -= 1
        most = math.ceil(SPREAD * (len(self._homes) + 1) / len(ranks))
        if home is None or home not in ranks or self._counts[home] >= most:
            free = (rank for rank in by_hash if self._counts[rank] < most)
            home = next(free, by_hash[0])
        self._homes[scene] = home
        self._counts[home] += 1
        if len(self._homes) > MOST_SCENES:
            _, former = self._homes.popitem(last=False)
            self._counts[former] -= 1
        return [home, *(rank for rank in by_hash if rank != home)]


def _score(scene: str, rank: int) -> bytes:
    return hashlib.sha256(f"{scene} {rank}".encode()).digest()
