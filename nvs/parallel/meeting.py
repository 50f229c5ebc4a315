"""Ranks that outlive what they do together: the processes of a service.

Where `nvs.parallel.group.joined` is for a command, whose ranks end with it, these are
started by somebody else, on one machine. They meet in a folder for the first piece of
work and stay joined; when one fails or is lost, the others part at once, and meet again
in another folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from nvs.parallel.devices import Place
from nvs.parallel.group import Group, formed


class Meeting:
    """This process among ranks, from one piece of work to the next.

    Args:
        device: What it computes on.
    """

    def __init__(self, device: torch.device) -> None:
        self._alone = Group.alone(device)
        self._joined: Group | None = None
        self._folder: Path | None = None

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
        is_first = self._joined is None or place.folder != self._folder
        if is_first:
            self._part()
            self._joined, self._folder = self._join(place), place.folder
        assert self._joined is not None, "they have joined"
        words = _store(place, f"work-{place.work}")
        group = replace(self._joined, store=PrefixStore("word", words))
        try:
            with group.together():
                if is_first:  # nobody may part while another still connects
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
