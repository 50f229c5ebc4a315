"""How ranks meet.

Those of a command are described by the environment, and end with it. Those of a service
are started by somebody else, on one machine: they meet in a folder for the first piece
of work and stay joined; when one fails or is lost, the others part at once, and meet
again in another folder.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from nvs.parallel.devices import Place, num_ranks
from nvs.parallel.group import Group
from nvs.parallel.word import Word

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others in one exchange."""


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
        group.wait()  # nobody may end while another still connects
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
    return Group(rank=rank, size=size, device=device, word=_word(store))


class Meeting:
    """This process among ranks, from one piece of work to the next.

    Args:
        device: What it computes on.
    """

    def __init__(self, device: torch.device) -> None:
        self._alone = Group.alone(device)
        self._joined: Group | None = None
        self._folder: Path | None = None

    def has_met(self, place: Place) -> bool:
        """Whether those of a place are joined; else `group` waits for them."""
        return self._joined is not None and place.folder == self._folder

    @contextmanager
    def group(self, place: Place | None) -> Generator[Group]:
        """Around a piece of work: those who do it, joined.

        Args:
            place: This one's among them; None if it works alone.

        Raises:
            StoppedError: If another rank failed first.
            RankError: If this one is out of memory, or another is gone.
        """
        if place is None:
            yield self._alone
            return
        is_first = not self.has_met(place)
        if is_first:
            self._part()
            self._joined, self._folder = self._join(place), place.folder
        assert self._joined is not None, "they have joined"
        word = _word(_store(place, f"work-{place.work}"))
        group = replace(self._joined, word=word)
        try:
            with group.together():
                if is_first:  # as in `joined`
                    group.wait()
                yield group
        except BaseException:
            self._part()
            raise

    def _join(self, place: Place) -> Group:
        if sys.platform == "linux":  # nobody else need reach them
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        return formed(
            _store(place, "ranks"),
            rank=place.rank,
            size=place.size,
            device=self._alone.device,
        )

    def _part(self) -> None:
        """Close the connections: whoever waits for this rank learns that it is gone."""
        if self._joined is not None:
            self._joined = None
            assert dist.group.WORLD is not None, "they have joined"
            dist.group.WORLD.abort()
            dist.destroy_process_group()


def _store(place: Place, name: str) -> Store:
    """One that lies in a file, and so outlives every rank."""
    url = (place.folder / name).as_uri()
    return next(rendezvous(url, rank=place.rank, world_size=place.size))[0]


def _word(store: Store) -> Word:
    return Word(PrefixStore("word", store))
