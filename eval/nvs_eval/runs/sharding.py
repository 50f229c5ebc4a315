"""Processes of `torchrun` that share the scenes of a run."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

PATIENCE = timedelta(days=7)
"""How long a process that is done waits for the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """This process among those of a run."""

    rank: int = 0
    """Number of this process."""
    world: int = 1
    """Number of processes."""

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            dist.barrier()

    def device(self, name: str | None) -> str | None:
        """The device of this process: with several, one GPU each."""
        if self.world > 1 and (name or "cuda").startswith("cuda"):
            if torch.cuda.is_available():
                return f"cuda:{os.environ['LOCAL_RANK']}"
        return name


@contextmanager
def shard() -> Generator[Shard]:
    """Join the group that `torchrun` describes in the environment, if there is one."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Shard()
        return
    dist.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Shard(rank=dist.get_rank(), world=world)
    finally:
        dist.destroy_process_group()
