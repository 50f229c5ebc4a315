"""The ranks of a command: how they are started and ended.

A command that is given several devices starts itself once for each through torch's own
launcher; under `torchrun` it finds itself started. Needs no torch until it launches.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid

from nvs.errors import RankError, StoppedError
from nvs.parallel.devices import num_ranks, parse_devices, threads_each

FAILED_ELSEWHERE = StoppedError.exit_code


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
    if "cpu" in names:
        os.environ.setdefault("OMP_NUM_THREADS", str(threads_each(len(names))))
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
