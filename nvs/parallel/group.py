"""Ranks that work together, and what they send each other.

Two things are large: the gradients of the fast weights of a block, which are summed
(Alg. 3), and what is made of them. Everything else is small and for the processor:
names, cameras, progress, causes.

A rank that fails leaves the cause in a store that all ranks see, and ends; the others
find its connections closed, look for the cause, and end too. So they do when one is
killed. One that hangs is waited for until the group's patience ends.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from nvs.errors import ConfigError, NvsError, RankError, StoppedError
from nvs.parallel.devices import num_ranks

T = TypeVar("T")
Progress = Callable[[int, int], None]

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others in one exchange."""
GRACE_SECONDS = 3.0
"""How long a rank looks for the cause when connections break."""
FAILURE = "failure"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Group:
    """This rank among those that work together."""

    rank: int = 0
    """Number of this rank."""
    size: int = 1
    """Number of ranks."""
    device: torch.device
    """What this rank computes on."""
    handle: dist.ProcessGroup | None = None
    """Of `torch.distributed`; None for all ranks, or one alone."""
    store: Store | None = None
    """Where ranks leave word for each other; None where the rank is alone."""

    @staticmethod
    def alone(device: torch.device) -> Group:
        """One rank, which sends nothing."""
        return Group(device=device)

    @property
    def is_first(self) -> bool:
        """Whether this rank writes files and reports."""
        return self.rank == 0

    def sum(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Sums over the ranks, in one message; float32 at least.

        Differentiable: where the losses of the ranks add up to one, the gradient of a
        sum is the sum of the ranks' gradients.

        Raises:
            StoppedError: If another rank has failed.
            RankError: If one is gone.
        """
        if self.size == 1:
            return tensors
        return _summed(self, tensors)

    def mean(self, values: Sequence[float]) -> list[float]:
        """Means over the ranks."""
        everyone = self.share(list(values))
        return [sum(column) / self.size for column in zip(*everyone, strict=True)]

    def of_first(self, value: T) -> T:
        """What the first rank has, on every rank."""
        return self.share(value)[0]

    def share(self, value: T) -> list[T]:
        """What every rank has, in the order of ranks, on every rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with self.exchange():
            dist.all_gather_object(values, value, group=self.handle)
        return values

    def gather(self, value: T) -> list[T]:
        """What every rank has, on the first rank; nothing on the others."""
        if self.size == 1:
            return [value]
        values: list[Any] | None = [None] * self.size if self.is_first else None
        with self.exchange():
            dist.gather_object(value, values, group=self.handle, group_dst=0)
        return values or []

    def sum_at(self, tensors: Sequence[Tensor], ranks: Sequence[int]) -> None:
        """Overwrite each tensor by its sum over the ranks, on one of them.

        On the others what was in it is lost.
        """
        if self.size > 1:
            with self.exchange():
                works = [
                    dist.reduce(t, group=self.handle, group_dst=rank, async_op=True)
                    for t, rank in zip(tensors, ranks, strict=True)
                ]
                _wait(works)

    def broadcast(self, tensors: Sequence[Tensor], ranks: Sequence[int]) -> None:
        """Overwrite each tensor by what one of the ranks has in it."""
        if self.size > 1:
            with self.exchange():
                works = [  # bytes, since not every back end sends bfloat16
                    dist.broadcast(
                        tensor.view(torch.uint8),
                        group=self.handle,
                        group_src=rank,
                        async_op=True,
                    )
                    for tensor, rank in zip(tensors, ranks, strict=True)
                ]
                _wait(works)

    def wait(self) -> None:
        """Return when every rank has come here."""
        self.share(None)

    @contextmanager
    def first_before_others(self) -> Generator[None]:
        """Run a block on the first rank, and then, with what it left, on the others."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def part(self, count: int, what: str) -> range:
        """Which of some things are this rank's: neighbours, as evenly as can be.

        Raises:
            ConfigError: If there are more ranks than things.
        """
        if count < self.size:
            raise ConfigError(
                f"{count} {what} cannot be dealt to {self.size} ranks",
                remedy=f"Use at most {count}, so that each has one.",
            )
        first, end = (count * rank // self.size for rank in (self.rank, self.rank + 1))
        return range(first, end)

    def check_devices(self) -> None:
        """Check that every rank has a CUDA device to itself, as what they send needs.

        Raises:
            ConfigError: If two have the same.
        """
        if self.device.type != "cuda":
            return
        places = self.share((socket.gethostname(), str(self.device)))
        for rank, place in enumerate(places):
            first = places.index(place)
            if first != rank:
                raise ConfigError(
                    f"ranks {first} and {rank} share {place[1]} of {place[0]}",
                    remedy="Leave --device out, so that each takes its own, or name "
                    "them all in --devices.",
                )

    def slowest(self, progress: Progress | None) -> Progress | None:
        """Progress that is reported as far as the slowest rank has come.

        Also where a rank learns in the middle of its work that another has failed.
        """
        if self.store is None:
            return progress
        store = self.store
        keys = [f"progress/{rank}" for rank in range(self.size)]
        store.set(keys[self.rank], "0")
        self.wait()

        def report(done: int, total: int) -> None:
            if store.check([FAILURE]):
                raise self.stopped()
            store.set(keys[self.rank], repr(done / total))
            if progress is not None:
                share = min(float(found) for found in store.multi_get(keys))
                progress(int(share * total + 1e-6), total)

        return report

    def mesh(self, columns: int) -> tuple[Group, Group]:
        """The ranks in rows of `columns`: those of this rank's column and of its row.

        Raises:
            ConfigError: If they do not fill whole rows.
        """
        if self.size % columns:
            raise ConfigError(
                f"{self.size} ranks do not make groups of {columns}",
                remedy=f"Start a multiple of {columns} ranks.",
            )
        if columns == 1:
            return self, Group.alone(self.device)
        mesh = init_device_mesh(
            self.device.type,
            (self.size // columns, columns),
            mesh_dim_names=("column", "row"),
        )
        column, row = (
            Group(
                rank=mesh.get_local_rank(name),
                size=mesh[name].size(),
                device=self.device,
                handle=mesh.get_group(name),
                store=self.store,
            )
            for name in ("column", "row")
        )
        return column, row

    @contextmanager
    def together(self) -> Generator[None]:
        """Around what all ranks do: a failure of one is left for the others, once.

        Raises:
            StoppedError: If another rank failed first.
            RankError: If this one is out of memory, or another is gone.
        """
        try:
            yield
        except BaseException as error:
            said = _named(error, self)
            if not self.fail(said) and not isinstance(said, StoppedError):
                said = self.stopped()
            if said is error:
                raise
            raise said from error

    def fail(self, error: BaseException) -> bool:
        """Leave the cause of a failure for the others, unless one is there already.

        Returns:
            Whether it is this rank's failure that counts.
        """
        if self.store is None:
            return True
        mine = f"{dist.get_rank()}"
        try:
            text = f"{mine}\n{type(error).__name__}: {error}"
            found = self.store.compare_set(FAILURE, "", text).decode()
        except RuntimeError:  # the store is gone with the rank that kept it
            return True
        return found.partition("\n")[0] == mine

    @contextmanager
    def exchange(self) -> Generator[None]:
        """Around every exchange: one that breaks is said to be what broke it.

        Raises:
            StoppedError: If another rank has failed.
            RankError: If one is gone.
        """
        try:
            yield
        except RuntimeError as error:
            raise self._broken(error) from error

    def _broken(self, error: RuntimeError) -> NvsError:
        world, store = dist.get_world_size(), self.store
        assert store is not None, "a rank that is alone exchanges nothing"
        missing = list(range(world))
        deadline = time.monotonic() + GRACE_SECONDS
        try:
            store.set(f"broken/{dist.get_rank()}", "")
            while missing and time.monotonic() < deadline:
                if store.check([FAILURE]):
                    return self.stopped()
                missing = [r for r in missing if not store.check([f"broken/{r}"])]
                time.sleep(0.05)
        except RuntimeError:
            missing = [0]  # it keeps the store, if no launcher does
        reason = str(error).splitlines()[0]
        who = ", ".join(str(rank) for rank in missing) or "none"
        return RankError(
            f"rank {who} of {world} does not answer ({reason})",
            remedy="It was killed, hangs or cannot be reached: see its output.",
        )

    def stopped(self) -> StoppedError:
        """The failure of another rank, for this one."""
        assert self.store is not None, "only ranks of several are stopped by another"
        rank, _, cause = self.store.get(FAILURE).decode().partition("\n")
        return StoppedError(
            f"rank {rank} of {dist.get_world_size()} failed ({cause.rstrip('.')})",
            remedy="The others stopped.",
        )


def _wait(works: Sequence[dist.Work | None]) -> None:
    for work in works:
        assert work is not None, "this rank takes part"
        work.wait()


class _Sum(torch.autograd.Function):
    """The sum over ranks, whose gradient is again one."""

    @staticmethod
    def forward(ctx: Any, group: Group, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.group = group
        dtype = torch.promote_types(tensors[0].dtype, torch.float32)
        bucket = torch.cat([tensor.to(dtype).flatten() for tensor in tensors])
        with group.exchange():
            dist.all_reduce(bucket, group=group.handle)
        parts = bucket.split([tensor.numel() for tensor in tensors])
        return tuple(p.view(t.shape) for p, t in zip(parts, tensors, strict=True))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return (None, *_summed(ctx.group, grads))


@torch.compiler.disable()  # pyright: ignore[reportUntypedFunctionDecorator]
def _summed(group: Group, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return _Sum.apply(group, *tensors)


@contextmanager
def joined(device: torch.device, *, patience: timedelta = PATIENCE) -> Generator[Group]:
    """Join the ranks that the environment describes, as `torchrun` does, or be alone.

    A process that has joined others ends by `nvs.parallel.launch.end_process`.

    Args:
        device: What to compute on; with `cuda` each rank takes the CUDA device of its
            number on its machine.
        patience: How long a rank waits for the others in one exchange.

    Raises:
        StoppedError: If another rank failed first.
        RankError: If this one is out of memory, or another is gone.
    """
    if num_ranks() == 1:
        yield Group.alone(device)
        return
    if str(device) == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    store, rank, size = next(rendezvous("env://", timeout=patience))
    group = formed(store, rank=rank, size=size, device=device, patience=patience)
    if not group.is_first:
        logging.getLogger("nvs").setLevel(logging.ERROR)
    with group.together():
        yield group


def formed(
    store: Store,
    *,
    rank: int,
    size: int,
    device: torch.device,
    patience: timedelta = PATIENCE,
) -> Group:
    """The ranks that have a store in common; a process is in one such group at a time.

    Returns when all have come.

    Args:
        store: Where they find each other, and leave word.
        rank: Number of this one.
        size: How many they are.
        device: What this one computes on.
        patience: How long a rank waits for the others in one exchange.
    """
    is_cuda = device.type == "cuda"
    if is_cuda:
        torch.cuda.set_device(device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if is_cuda else "gloo",
        store=PrefixStore("exchange", store),
        rank=rank,
        world_size=size,
        timeout=patience,
    )
    return Group(rank=rank, size=size, device=device, store=PrefixStore("word", store))


def _named(error: BaseException, group: Group) -> BaseException:
    """An error with what a user can do about it, where it is known."""
    text = str(error)
    is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if not is_memory and "can't allocate memory" not in text:
        return error
    return RankError(
        f"rank {group.rank} of {group.size} ({group.device}) is out of memory",
        remedy="Use more devices, fewer or smaller views, or for a command less "
        "--memory-gib.",
    )
