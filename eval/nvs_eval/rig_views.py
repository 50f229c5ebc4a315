"""Which views of the 64-view rig are inputs and targets, and how they were chosen.

The rig has four rings of 16 azimuths at elevations 0, 20, 40 and 60°; view 16·r + a is
azimuth a·22.5° of ring r. This module is the rule; `indices/gso` is what is used.
"""

from __future__ import annotations

from pathlib import Path

from nvs_data.rigs import GSO_AZIMUTHS, gso_rig
from nvs_eval.index_files import read_index, write_index

FOLDER = Path(__file__).parent / "indices" / "gso"
VIEW_COUNTS = (4, 8, 12, 16, 20, 24, 32, 48)
TARGETS = (1, 9, 21, 29, 35, 43, 55, 63)
"""Two opposite views a ring; every odd azimuth once."""
MIDDLE_RING = 1
"""The ring at 20°, from which the first inputs are taken."""


def input_order() -> list[int]:
    """All possible inputs, so that the first n are the input set of n views.

    First the ring at 20° at 0, 90, 180 and 270°, then between those, then always the
    view whose direction is farthest from all that are chosen (ties to the lower index).
    Targets are never inputs.
    """
    first = MIDDLE_RING * GSO_AZIMUTHS
    chosen = [first + a for a in (*range(0, 16, 4), *range(2, 16, 4))]
    direction = gso_rig().forward.double()
    nearest = (direction @ direction[chosen].T).amax(1)
    nearest[list(TARGETS)] = float("inf")
    while len(chosen) < max(VIEW_COUNTS):
        nearest[chosen] = float("inf")
        farthest = int((nearest * 1e9).round().argmin())
        chosen.append(farthest)
        nearest = nearest.maximum(direction @ direction[farthest])
    return chosen


def write_indices(folder: Path = FOLDER) -> None:
    """Write the index files of this rule."""
    order = input_order()
    write_index(folder / "targets.json", {"protocol": "gso", "targets": list(TARGETS)})
    for count in VIEW_COUNTS:
        content = {"protocol": "gso", "num_views": count, "inputs": order[:count]}
        write_index(folder / f"inputs_{count:02d}.json", content)


def read_targets() -> tuple[list[int], str]:
    """Target views, and the hash of their index file."""
    content = read_index(FOLDER / "targets.json")
    return content["targets"], content["sha256"]


def read_inputs(count: int) -> tuple[list[int], str]:
    """The input set of a view count, and the hash of its index file."""
    content = read_index(FOLDER / f"inputs_{count:02d}.json")
    return content["inputs"], content["sha256"]
