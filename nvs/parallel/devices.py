"""Which devices and ranks there are: what users name, and what a process is told.

Needs no torch: a command reads it before it starts ranks, and so does the gateway of
the service, whose processes are the ranks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from nvs.errors import ConfigError


def num_ranks() -> int:
    """How many ranks this process is one of."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank_name() -> str:
    """Which rank this process is, before what it says; nothing if it is alone."""
    count = num_ranks()
    return f"rank {os.environ['RANK']} of {count}: " if count > 1 else ""


def parse_devices(text: str) -> list[str]:
    """A device a rank: `4` CUDA devices, `cpu:2` ranks on the CPU, `cuda:0,cuda:1`.

    Raises:
        ConfigError: If it is none of these.
    """
    if text.isdigit() and int(text):
        return [f"cuda:{index}" for index in range(int(text))]
    names: list[str] = []
    for part in text.split(","):
        kind, colon, number = part.strip().partition(":")
        if kind == "cpu" and (not colon or (number.isdigit() and int(number))):
            names += ["cpu"] * int(number or 1)
        elif kind == "cuda" and number.isdigit():
            names.append(part.strip())
        else:
            raise ConfigError(
                f"the devices are {text!r}",
                remedy="Give a number of CUDA devices such as 4, a list such as "
                "cuda:0,cuda:1, or ranks on the CPU such as cpu:2.",
            )
    return names


def threads_each(count: int) -> int:
    """Threads of each of several processes that share the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return max(1, cores // count)


def own_device(device: str | None, devices: str | None) -> str | None:
    """The device that this process works on, of one that is named or of several.

    Raises:
        ConfigError: If both are given, the devices cannot be read, or `torchrun`
            started another number of ranks on this machine.
    """
    if devices is None:
        return device
    if device is not None:
        raise ConfigError(
            f"--device is {device!r} and --devices is {devices!r}",
            remedy="Give one of them.",
        )
    names = parse_devices(devices)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if here != len(names):
        raise ConfigError(
            f"--devices names {len(names)} devices, but {here} ranks were started on "
            "this machine",
            remedy="Give torchrun that number as --nproc-per-node, or no --devices.",
        )
    return names[int(os.environ.get("LOCAL_RANK", "0"))]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Of a process of a service among those that do a piece of work together."""

    rank: int
    """Number of this one."""
    size: int
    """How many they are."""
    folder: Path
    """Where they meet: the same until one fails or is lost, then another."""
    work: int
    """Number of the piece of work, another for each."""
