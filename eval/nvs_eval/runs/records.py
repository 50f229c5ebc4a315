"""Files of a run's folder.

run.json          settings, methods, versions, and an identity: a hash of all that
decides the numbers
scenes/NAME.json  rows, timings and failures of one scene, written when it is done
results.jsonl     all rows, in a fixed order; results.csv the same without lists
timings.jsonl     times, which no repetition reproduces
failures.jsonl    what could not be evaluated, and why
pictures/         HEIGHTxWIDTH/truth/SCENE/FRAME.png and
HEIGHTxWIDTH/VIEWS/METHOD/SCENE/FRAME.png
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from nvs.errors import DatasetError, NvsError, OutputError
from nvs.files import write_text
from nvs.scene.dataset_files import read_json
from nvs.scene.pictures import write_png

Row = dict[str, Any]
FAILURES = (NvsError, OSError, RuntimeError, ValueError)
"""What a scene may fail with (RuntimeError is also out of GPU memory)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneRecord:
    """What a run found out about one scene."""

    identity: str
    """The run's."""
    rows: list[Row] = field(default_factory=list)
    """Quality, a row each size, view count and method."""
    timings: list[Row] = field(default_factory=list)
    """Times and sizes of the same."""
    failures: list[Row] = field(default_factory=list)
    """What could not be evaluated."""


def failure(scene: str, error: Exception, **where: Any) -> Row:
    """What is written down of a scene, or a part of it, that failed."""
    return {"scene": scene, **where, "error": f"{type(error).__name__}: {error}"}


def scene_file(out: Path, name: str) -> Path:
    """Where a scene's record is kept."""
    return out / "scenes" / f"{name}.json"


def save_scene(out: Path, name: str, record: SceneRecord) -> None:
    """Write a scene's record atomically."""
    write_text(scene_file(out, name), json.dumps(asdict(record), indent=1) + "\n")


def load_scene(out: Path, name: str, identity: str) -> SceneRecord | None:
    """A scene's record, if it is there, whole and of this run."""
    path = scene_file(out, name)
    if not path.is_file():
        return None
    try:
        record = SceneRecord(**read_json(path))
    except (DatasetError, TypeError):
        return None
    return record if record.identity == identity else None


def merge(out: Path, names: Sequence[str], identity: str) -> SceneRecord:
    """All scenes' records as the run's files, and in one."""
    whole = SceneRecord(identity=identity)
    for name in names:
        record = load_scene(out, name, identity)
        if record is not None:
            whole.rows.extend(record.rows)
            whole.timings.extend(record.timings)
            whole.failures.extend(record.failures)
    write_jsonl(out / "results.jsonl", whole.rows)
    write_text(out / "results.csv", _csv(whole.rows))
    write_jsonl(out / "timings.jsonl", whole.timings)
    write_jsonl(out / "failures.jsonl", whole.failures)
    return whole


def open_run(out: Path, content: Mapping[str, Any]) -> None:
    """Start a run's folder, or go on with the one that is there.

    Raises:
        OutputError: If the folder belongs to a run with other settings, or holds
            something else.
    """
    path = out / "run.json"
    if path.is_file():
        found = read_json(path)
        if found.get("identity") == content["identity"]:
            return
        changed = [
            key
            for key, value in content["decides"].items()
            if found.get("decides", {}).get(key) != value
        ]
        raise OutputError(
            f"{out} holds a run with other {', '.join(changed) or 'settings'}",
            remedy="Name another --out folder, or repeat with the same settings.",
        )
    if out.is_dir() and any(out.iterdir()):
        raise OutputError(
            f"{out} holds something else than a run", remedy="Name another --out."
        )
    write_text(path, json.dumps(content, indent=1) + "\n")


def load_run(out: Path) -> dict[str, Any]:
    """Content of `run.json`.

    Raises:
        DatasetError: If the folder is not a run's.
    """
    if not (out / "run.json").is_file():
        raise DatasetError(
            f"{out} is not the folder of an evaluation",
            remedy="Name a folder that nvs eval gso, dl3dv or folder wrote.",
        )
    return read_json(out / "run.json")


def load_rows(out: Path) -> list[Row]:
    """Rows of `results.jsonl`.

    Raises:
        DatasetError: If they are not there or damaged.
    """
    return read_jsonl(out / "results.jsonl")


def load_timings(out: Path) -> list[Row]:
    """Rows of `timings.jsonl`.

    Raises:
        DatasetError: If they are not there or damaged.
    """
    return read_jsonl(out / "timings.jsonl")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_jsonl(path: Path) -> list[Row]:
    """Objects of a file with one a line.

    Raises:
        DatasetError: If it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line]
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be read ({error})",
            remedy="Repeat the evaluation; it goes on where it stopped.",
        ) from error


def safe_name(text: str) -> str:
    """A name as a folder name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "_"


def _csv(rows: Sequence[Row]) -> str:
    """Scalars of the rows, under the union of their keys."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    keys = [k for k in keys if not any(isinstance(r.get(k), list) for r in rows)]
    text = io.StringIO()
    writer = csv.DictWriter(text, keys, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def picture_folder(
    out: Path,
    size: tuple[int, int],
    scene: str,
    *,
    num_views: int = 0,
    method: str | None = None,
) -> Path:
    """Where a scene's renders by a method are kept; its truths without a method."""
    sized = out / "pictures" / f"{size[0]}x{size[1]}"
    if method is None:
        return sized / "truth" / safe_name(scene)
    return sized / str(num_views) / safe_name(method) / safe_name(scene)


def picture_name(frame: str) -> str:
    """The file name of a frame's picture."""
    return safe_name(str(Path(frame).with_suffix(""))) + ".png"


def write_picture(
    folder: Path, frame: str, image: Float[np.ndarray, "height width 3"]
) -> None:
    """Write a picture of values in [0, 1].

    Raises:
        OutputError: If it cannot be written.
    """
    pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    write_png(folder / picture_name(frame), pixels)
