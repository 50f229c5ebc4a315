"""Word that ranks leave for each other: how far each is, and what made one fail."""

from __future__ import annotations

import time
from datetime import timedelta

import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

from nvs.errors import NvsError, RankError, StoppedError

GRACE = timedelta(seconds=3)
"""How long a rank looks for the cause when connections break."""
FAILURE = "failure"


class Word:
    """What the ranks leave in a store that they all see.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def report(self, share: float) -> None:
        """Say how far this rank is, of 1."""
        self._store.set(f"progress/{dist.get_rank()}", repr(share))

    def least(self) -> float:
        """How far the slowest rank is, of 1."""
        keys = [f"progress/{rank}" for rank in range(dist.get_world_size())]
        return min(float(found) for found in self._store.multi_get(keys))

    def fail(self, error: BaseException) -> bool:
        """Leave the cause of a failure for the others, unless one is there already.

        Returns:
            Whether it is this rank's failure that counts.
        """
        mine = f"{dist.get_rank()}"
        try:
            text = f"{mine}\n{type(error).__name__}: {error}"
            found = self._store.compare_set(FAILURE, "", text).decode()
        except RuntimeError:  # the store is gone with the rank that kept it
            return True
        return found.partition("\n")[0] == mine

    def check(self) -> None:
        """Go on only if no rank has failed.

        Raises:
            StoppedError: If one has.
        """
        if self._store.check([FAILURE]):
            raise self.stopped()

    def stopped(self) -> StoppedError:
        """The failure of another rank, for this one."""
        rank, _, cause = self._store.get(FAILURE).decode().partition("\n")
        return StoppedError(
            f"rank {rank} of {dist.get_world_size()} failed ({cause.rstrip('.')})",
            remedy="The others stopped.",
        )

    def broken(self, error: RuntimeError) -> NvsError:
        """What broke an exchange: the failure of a rank, or one that is gone.

        A rank that is well but waits for this one notices only when this one ends, so
        that of several which do not answer one at least is gone.
        """
        world = dist.get_world_size()
        missing = list(range(world))
        deadline = time.monotonic() + GRACE.total_seconds()
        try:
            self._store.set(f"broken/{dist.get_rank()}", "")
            while missing and time.monotonic() < deadline:
                if self._store.check([FAILURE]):
                    return self.stopped()
                missing = [r for r in missing if not self._store.check([f"broken/{r}"])]
                time.sleep(0.05)
        except RuntimeError:
            missing = [0]  # it keeps the store, if no launcher does
        reason = str(error).splitlines()[0]
        who = " or ".join(str(rank) for rank in missing) or "none"
        return RankError(
            f"rank {who} of {world} does not answer ({reason})",
            remedy="It was killed, hangs or cannot be reached: see its output.",
        )
