"""The ranks of a command: how devices are named, started and ended.

A command that is given several devices starts itself once for each through torch's own
launcher; under `torchrun` it finds itself started. Needs no torch until it launches.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid

from nvs.errors import ConfigError, RankError, StoppedError

FAILED_ELSEWHERE = StoppedError.exit_code


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


def started(devices: str | None) -> bool:
    """Run this very command once on each of several devices, until all have ended.

    Returns:
        Whether it did: nothing is left to do. A rank, or a command for one device,
        goes on by itself.

    Raises:
        ConfigError: If the devices cannot be read.
        RankError: If a rank was killed.
        SystemExit: If one failed, which has said why; with its exit code.
    """
    if devices is None or num_ranks() > 1:
        return False
    names = parse_devices(devices)
    if len(names) == 1:
        return False
    import logging

    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    for name in logging.root.manager.loggerDict:  # each has a level of its own
        if name.startswith("torch.distributed.elastic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if "cpu" in names:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // len(names))))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=len(names),
        run_id=str(uuid.uuid4()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "nvs.cli", *sys.argv[1:])
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        rank = next((r for r in codes if codes[r] != FAILED_ELSEWHERE), min(codes))
        if codes[rank] >= 0:
            raise SystemExit(codes[rank]) from error
        name = signal.Signals(-codes[rank]).name
        raise RankError(
            f"rank {rank} of {len(names)} ({names[rank]}) was killed by {name}",
            remedy="If it ran out of memory, use more devices or less --memory-gib.",
        ) from error
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from error
    return True


def end_process(code: int = 0) -> None:
    """End this process at once if it is one of several ranks.

    Gloo lets go of tensors in threads of its own after a call has returned, and needs
    the interpreter for it: one that ends under them aborts the process, and one that
    waits for them, to let go of their group, waits for ever.
    """
    if num_ranks() == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
