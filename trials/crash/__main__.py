"""The crash trial: `python -m trials.crash --seed 1 --kills 200`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from trials.crash.trial import Trial


def main() -> int:
    """Run a trial; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        description="Kill a server at work; no promise is broken."
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60, help="no kill later")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nvs-crash-") as folder:
        report = Trial(
            Path(folder),
            seed=given.seed,
            kills=given.kills,
            limit_seconds=60 * given.minutes,
        ).run()
    sys.stdout.write(f"seed {given.seed}: {report}\n")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
