"""Files that ship in the package: the sample dataset and the default weights."""

from __future__ import annotations

import json
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"
SAMPLE = ASSETS / "sample"
WEIGHTS = ASSETS / "weights"


def sample_split() -> tuple[list[int], list[int]]:
    """Frames of the sample to build from, and frames held out to compare with."""
    split = json.loads((SAMPLE / "split.json").read_text(encoding="utf-8"))
    return split["inputs"], split["targets"]
