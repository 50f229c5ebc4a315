"""Ranks that work together, and what they send each other.

Two things are large: the gradients of the fast weights of a block, which are summed
(Alg. 3), and what is made of them. Everything else is for the processor, and but for
photographs that a network reprojects small: names, cameras, progress, causes.

A rank that fails leaves the cause in a store that all ranks see, and ends; the others
find its connections closed, look for the cause, and end too. So they do when one is
killed. One that hangs is waited for until the group's patience ends.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh

from nvs.errors import ConfigError, RankError, StoppedError
from nvs.parallel.word import Word

T = TypeVar("T")
Progress = Callable[[int, int], None]


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
    word: Word | None = None
    """What ranks leave for each other; None where the rank is alone."""

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
        if self.word is None:
            return progress
        word = self.word
        word.report(0.0)
        self.wait()

        def report(done: int, total: int) -> None:
            word.check()
            word.report(done / total)
            if progress is not None:
                progress(int(word.least() * total + 1e-6), total)

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
                word=self.word,
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
            said = self._named(error)
            if self.word is not None:
                is_mine = self.word.fail(said)
                if not is_mine and not isinstance(said, StoppedError):
                    said = self.word.stopped()
            if said is error:
                raise
            raise said from error

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
            assert self.word is not None, "a rank that is alone exchanges nothing"
            raise self.word.broken(error) from error

    def _named(self, error: BaseException) -> BaseException:
        """An error with what a user can do about it, where it is known."""
        text = str(error)
        is_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not is_memory and "can't allocate memory" not in text:
            return error
        return RankError(
            f"rank {self.rank} of {self.size} ({self.device}) is out of memory",
            remedy="Use more devices, fewer or smaller views, or for a command less "
            "--memory-gib.",
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


def _summed(group: Group, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return _Sum.apply(group, *tensors)
