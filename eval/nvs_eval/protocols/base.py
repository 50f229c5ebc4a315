"""What a benchmark protocol says of a scene: its inputs, its targets, its framing.

A benchmark number means nothing without the views it was made with, so index files are
written once, carry their own hash, and every result records it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from typing import Protocol as TypingProtocol

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import ConfigError, DatasetError
from nvs.files import write_text
from nvs.scene.dataset_files import read_json
from nvs.scene.datasets import is_dataset

HASH_KEY = "sha256"


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneFolder:
    """A scene of a benchmark."""

    name: str
    """Its folder's name, unique in a run."""
    path: Path
    """Where it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Which frames of a scene are used for what; indices in the dataset's order."""

    names: tuple[str, ...]
    """What each frame is called."""
    targets: tuple[int, ...]
    """Frames to render."""
    inputs: Mapping[int, tuple[int, ...]]
    """Input frames of each view count."""
    hashes: Mapping[int, str]
    """Hash of the index files that decide each view count."""
    impossible: Mapping[int, str] = field(default_factory=dict)
    """View counts that the scene does not allow, and why."""


class Protocol(TypingProtocol):
    """A way to evaluate."""

    name: str
    """Its name in results."""
    normalise: str
    """What poses are normalised by, in words."""

    def split(self, scene: SceneFolder, view_counts: Sequence[int]) -> Split:
        """Inputs and targets of a scene."""
        ...

    def normalisation(self, inputs: Camera, targets: Camera) -> PoseNormalisation:
        """From the scene's world to where the model expects its cameras."""
        ...


def find_scenes(
    roots: Sequence[Path], scene_list: Path | None = None
) -> list[SceneFolder]:
    """Scenes of some folders, each a dataset or a folder of datasets, by name.

    Args:
        roots: The folders.
        scene_list: A text file with a scene's name a line, which chooses them; empty
            lines and those with `#` are passed over. One that is nowhere is kept, so
            that the run reports it.

    Raises:
        DatasetError: If there are none or two have the same name.
        ConfigError: If the list cannot be read.
    """
    found: dict[str, Path] = {}
    for root in roots:
        if not root.is_dir():
            raise DatasetError(f"there is no folder {root}", remedy="Check the path.")
        for path in [root] if is_dataset(root) else sorted(root.iterdir()):
            if not path.is_dir() or path.name.startswith("."):
                continue
            name = path.resolve().name
            if name in found:
                raise DatasetError(
                    f"two scenes are called {name}: {found[name]} and {path}",
                    remedy="Rename one, or evaluate them in two runs.",
                )
            found[name] = path
    if scene_list is not None:
        missing = roots[0] if roots else Path()
        found = {n: found.get(n, missing / n) for n in _listed(scene_list)}
    if not found:
        raise DatasetError(
            f"there are no scenes in {', '.join(map(str, roots))}",
            remedy="Name a dataset folder, or a folder of them.",
        )
    return [SceneFolder(name=name, path=found[name]) for name in sorted(found)]


def _listed(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the scene list {file} cannot be read ({error})",
            remedy="Name a text file with a scene a line.",
        ) from error
    names = [line.strip() for line in lines]
    return [name for name in names if name and not name.startswith("#")]


def index_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of an index file's content, itself left out, whatever its layout."""
    plain = {key: value for key, value in content.items() if key != HASH_KEY}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write_index(path: Path, content: Mapping[str, Any]) -> str:
    """Write an index file with its hash inside, and return the hash.

    Raises:
        OutputError: If it cannot be written.
    """
    digest = index_hash(content)
    text = json.dumps({**content, HASH_KEY: digest}, indent=1)
    write_text(path, text + "\n")
    return digest


def read_index(path: Path) -> dict[str, Any]:
    """Content of an index file, its hash verified.

    Raises:
        DatasetError: If it is missing, not JSON, or was changed by hand.
    """
    content = read_json(path)
    if not isinstance(content, dict) or HASH_KEY not in content:
        raise DatasetError(
            f"{path} is not an index file", remedy="Delete it; it is made again."
        )
    if content[HASH_KEY] != index_hash(content):
        raise DatasetError(
            f"{path} was changed: it does not match its own hash "
            f"{str(content[HASH_KEY])[:12]}…",
            remedy="Restore it, or delete it to choose views anew.",
        )
    return content
