"""Requests a minute: a token bucket a key."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from nvs_server.problems import Problem

MAX_BUCKETS = 10_000
"""Beyond it the bucket that was unused for longest is forgotten."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """A bucket a key: it holds a minute's worth and refills evenly.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key_id: str, key_name: str, rate_per_minute: int) -> None:
        """Count one request of a key.

        Raises:
            Problem: `rate-limited`, 429, with the time until the next token.
        """
        now = self._clock()
        bucket = self._buckets.setdefault(key_id, _Bucket(rate_per_minute, now))
        self._buckets.move_to_end(key_id)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        per_second = rate_per_minute / 60
        refill = (now - bucket.filled_at) * per_second
        bucket.tokens = min(bucket.tokens + refill, rate_per_minute)
        bucket.filled_at = now
        if bucket.tokens < 1:
            raise Problem(
                "rate-limited",
                f"The key {key_name!r} may make {rate_per_minute} requests a minute.",
                retry_after_seconds=(1 - bucket.tokens) / per_second,
            )
        bucket.tokens -= 1
