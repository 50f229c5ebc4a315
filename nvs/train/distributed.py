"""Processes of `torchrun`, one a device, or the one process of a plain run."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.distributed as dist

from nvs.scene.precision import bfloat16_gain


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    """Number of this process."""
    world: int = 1
    """Number of processes."""
    device: torch.device
    """What this process trains on."""
    bfloat16_gain: float = 0.0
    """How many times as fast as in float32 a product is in bfloat16, as the first
    process found it: all must compute alike. 0 has `auto` take float32."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def mean(self, values: Sequence[float]) -> list[float]:
        """Means over all processes."""
        if self.world == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64).to(self.device)
        dist.all_reduce(tensor)
        return (tensor / self.world).tolist()

    def of_first(self, values: Sequence[float]) -> list[float]:
        """What the first process has, on every process."""
        if self.world == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64).to(self.device)
        dist.broadcast(tensor, src=0)
        return tensor.tolist()


def end_process() -> None:
    """End this process at once, where several trained.

    Gloo lets go of tensors in threads of its own after a call has returned, and needs
    the interpreter for it: one that ends under them aborts the process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def processes(device: torch.device) -> Generator[Processes]:
    """Join the group that `torchrun` describes in the environment, if there is one."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Processes(device=device, bfloat16_gain=bfloat16_gain(device).products)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        group = Processes(rank=dist.get_rank(), world=world, device=device)
        (gain,) = group.of_first([bfloat16_gain(device).products])
        yield replace(group, bfloat16_gain=gain)
    finally:
        dist.destroy_process_group()
