"""Mixed work for minutes: no errors, and no growth of any process of the service."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

from trials.load.direct import SIZE_PX, Direct, around, asked
from trials.load.mixture import Mixture
from trials.load.report import Outcome
from trials.load.service import service

MINUTES = 10.0
WARM_SHARE = 0.3
"""Of the time, before growth is looked at."""
SAMPLE_SECONDS = 2.0
LINE_SECONDS = 30.0
NUM_SCENES = 8
NUM_CACHED = 5
LIMIT_PERCENT = 2.0
MIB = 2**20
KINDS = ("uss", "pss", "rss")


@dataclass(slots=True)
class Growth:
    """A line through samples."""

    first_mib: float
    last_mib: float
    mib_per_minute: float

    @property
    def percent(self) -> float:
        """From the line's start to its end."""
        return 100 * (self.last_mib / self.first_mib - 1)


@dataclass(slots=True)
class Memory:
    """Samples of each process.

    What is a process's own (USS) says whether it grows: its share of what it has in
    common with others (in PSS) changes as these come and go, and with them all the
    other processes of the machine.

    Args:
        processes: By what they are.
    """

    processes: dict[str, psutil.Process]
    seconds: list[float] = field(default_factory=list[float])
    mib: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    """By kind of memory and process."""

    def sample(self) -> None:
        """Take one.

        Raises:
            psutil.NoSuchProcess: If a process has died.
        """
        self.seconds.append(time.monotonic())
        for role, process in self.processes.items():
            info = process.memory_full_info()
            for kind, of_role in self.mib.items():
                of_role.setdefault(role, []).append(getattr(info, kind) / MIB)

    def growth(self, values: Sequence[float], since: int) -> Growth:
        """Fitted to the samples from number `since` on.

        By medians (Theil and Sen): a process that is just starting another shares all
        its memory with it for a moment, and a sample of then must not count.
        """
        minutes = np.array(self.seconds[since:]) / 60
        mib = np.array(values[since:])
        first, second = np.triu_indices(len(mib), 1)
        slopes = (mib[second] - mib[first]) / (minutes[second] - minutes[first])
        slope = float(np.median(slopes))
        middle = float(np.median(mib - slope * minutes))
        start, end = (middle + slope * float(minutes[place]) for place in (0, -1))
        return Growth(start, end, slope)


async def _watch(memory: Memory, mixture: Mixture) -> None:
    begun = said = time.monotonic()
    while True:
        memory.sample()
        now = time.monotonic()
        if now - said >= LINE_SECONDS:
            said = now
            uss, pss = memory.mib["uss"], memory.mib["pss"]
            sizes = "  ".join(f"{role} {mib[-1]:.1f}" for role, mib in uss.items())
            total = sum(mib[-1] for mib in pss.values())
            sys.stdout.write(
                f"{now - begun:5.0f} s  USS MiB: {sizes}  all PSS {total:.1f}  "
                f"done {mixture.done.total()}  errors {mixture.errors.total()}\n"
            )
            sys.stdout.flush()
        await asyncio.sleep(SAMPLE_SECONDS)


async def _soak(mixture: Mixture, memory: Memory, seconds: float) -> None:
    work = asyncio.create_task(mixture.run(seconds))
    watch = asyncio.create_task(_watch(memory, mixture))
    try:
        await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
    if not work.done():
        work.cancel()
        await watch  # raises what ended it
    await work


def trial(minutes: float = MINUTES) -> Outcome:
    """Memory of every process, by a line through its samples after the warm-up."""
    direct = Direct.load()
    scenes = [direct.scene(first) for first in range(NUM_SCENES)]
    cameras = asked(around(scenes[0], 32, SIZE_PX))
    with service(host_cache_bytes=direct.cache_bytes(NUM_CACHED)) as running:
        ids = [running.add(scene, f"{index}") for index, scene in enumerate(scenes)]
        del direct, scenes
        memory = Memory(running.processes())
        mixture = Mixture(running.url, ids, cameras)
        asyncio.run(_soak(mixture, memory, 60 * minutes))
        is_free = running.metric("nvs_renders") == 0
    since = int(WARM_SHARE * len(memory.seconds))
    rows: list[list[str]] = []
    percents: dict[str, float] = {}
    for role in memory.processes:
        uss, pss, rss = (
            memory.growth(memory.mib[kind][role], since)
            for kind in ("uss", "pss", "rss")
        )
        percents[role] = uss.percent
        own = memory.mib["uss"][role][since:]
        rows.append(
            [
                role,
                f"{uss.first_mib:.1f}",
                f"{uss.last_mib:.1f}",
                f"{uss.mib_per_minute:+.3f}",
                f"{min(own):.1f}-{max(own):.1f}",
                *(f"{growth.percent:+.2f}" for growth in (uss, pss, rss)),
            ]
        )
    done = ", ".join(f"{count} {kind}" for kind, count in mixture.done.most_common())
    return Outcome(
        f"soak: {minutes:g} minutes, {len(memory.seconds) - since} samples after "
        f"{WARM_SHARE:.0%} warm-up; done: {done}",
        [
            *("USS MiB", "fit start", "fit end", "a minute", "range"),
            *("growth %", "PSS %", "RSS %"),
        ],
        rows,
        [
            (
                f"growth of every process under {LIMIT_PERCENT:g} %: at most "
                f"{max(percents.values()):.2f}",
                max(percents.values()) < LIMIT_PERCENT,
            ),
            (f"no error but 429: {dict(mixture.errors) or 'none'}", not mixture.errors),
            ("every place is free afterwards", is_free),
        ],
    )
