"""Trials of the whole service under load: `python -m trials.load NAME`.

Each starts its own server on loopback, loads it for a bounded time, prints one table
and a verdict, and exits with 1 if a mark was missed. Timings mean something on a quiet
machine only.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable

import torch

from trials.load import builds, cluster, cost, crowd, leave, overload, soak
from trials.load.report import Outcome

TRIALS: dict[str, Callable[[], Outcome]] = {
    "cost": cost.trial,
    "clients": crowd.trial,
    "overload": overload.trial,
    "leave": leave.trial,
    "builds": builds.trial,
    "cluster": cluster.trial,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*TRIALS, "soak"])
    parser.add_argument("--minutes", type=float, default=soak.MINUTES, help="of soak")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # or the clients stop for 0.1 s now and then, and blame the service
    if arguments.name == "soak":
        outcome = soak.trial(arguments.minutes)
    else:
        outcome = TRIALS[arguments.name]()
    outcome.show()
    return 0 if outcome.is_met else 1


if __name__ == "__main__":
    sys.exit(main())
