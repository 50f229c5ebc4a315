"""Named weights: where they come from and how they get onto this machine.

A name is resolved in this order: a path that exists, the weights that ship in the
package, the download cache, the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path

from nvs.assets import WEIGHTS
from nvs.errors import CheckpointError, WeightsUnavailableError
from nvs.model.checkpoint import Checkpoint, load_checkpoint
from nvs.model.download import download
from nvs.model.shards import exported_file

RELEASED_REPOSITORY = "airsplay/lact_nvs"
DEFAULT_WEIGHTS = "lact_tiny"

Poses = Literal["object", "scene"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedWeights:
    """Weights that have a name."""

    name: str
    """What to say on the command line."""
    file: str
    """File in its repository, or in the package."""
    repository: str | None
    """Hub repository; None for weights that ship in the package."""
    poses: Poses
    """`object`: cameras around [−1, 1]³ as they are; `scene`: mean-camera framing."""
    height: int
    """Height in pixels that they were trained at."""
    width: int
    """Width in pixels that they were trained at."""


def _released(file: str, poses: Poses, height: int, width: int) -> NamedWeights:
    return NamedWeights(
        name=file.removesuffix(".pt"),
        file=file,
        repository=RELEASED_REPOSITORY,
        poses=poses,
        height=height,
        width=width,
    )


REGISTRY: Mapping[str, NamedWeights] = {
    weights.name: weights
    for weights in (
        NamedWeights(
            name="lact_tiny",
            file="lact_tiny.safetensors",
            repository=None,
            poses="object",
            height=128,
            width=128,
        ),
        _released("obj_res256.pt", "object", 256, 256),
        _released("obj_res512.pt", "object", 512, 512),
        _released("obj_res1024.pt", "object", 1024, 1024),
        _released("scene_res128x128.pt", "scene", 128, 128),
        _released("scene_res256x256.pt", "scene", 256, 256),
        _released("scene_res512x512.pt", "scene", 512, 512),
        _released("scene_res72x128.pt", "scene", 72, 128),
        _released("scene_res144x256.pt", "scene", 144, 256),
        _released("scene_res288x512.pt", "scene", 288, 512),
        _released("scene_res536x960.pt", "scene", 536, 960),
    )
}


def cache_folder() -> Path:
    """Where downloaded weights are kept."""
    return user_cache_path("lact-nvs") / "weights"


def local_path(name: str) -> Path | None:
    """The file of named weights, of a path or of an exported folder, if it is here."""
    if Path(name).is_file():
        return Path(name)
    exported = exported_file(Path(name))
    if exported is not None:
        return exported
    known = REGISTRY.get(name)
    if known is None:
        return None
    folder = WEIGHTS if known.repository is None else cache_folder()
    path = folder / known.file
    return path if path.is_file() else None


def get_weights(name: str) -> Path:
    """The file of named weights, downloaded if it is not here yet.

    Downloads show a progress bar and resume where they stopped; see
    `nvs.model.download`.

    Raises:
        WeightsUnavailableError: If the name is unknown or the hub cannot be reached.
    """
    path = local_path(name)
    if path is not None:
        return path
    known = REGISTRY.get(name)
    if known is None:
        raise WeightsUnavailableError(
            f"there is no file, no exported folder and no named weights {name!r}",
            remedy=f"Give a path, or one of {', '.join(REGISTRY)}.",
        )
    if known.repository is None:
        raise WeightsUnavailableError(
            f"the packaged weights {name} are missing at {WEIGHTS / known.file}",
            remedy="Reinstall lact-nvs.",
        )
    return download(known.repository, known.file, cache_folder())


def load_weights(name: str | None = None) -> tuple[Checkpoint, str, Poses]:
    """Weights by name or path; the path of a file or of an exported folder.

    Returns:
        The checkpoint, what to call it (the stem of its file or the name of its
        folder), and the poses it was trained on: as the registry says, or the file's
        own `about`, or `object`.

    Raises:
        WeightsUnavailableError: If they cannot be found or fetched.
        CheckpointError: If they are damaged.
    """
    name = name or DEFAULT_WEIGHTS
    path = get_weights(name)
    checkpoint = load_checkpoint(path)
    known = REGISTRY.get(path.stem)
    poses = checkpoint.about.get("poses", known.poses if known else "object")
    if poses not in ("object", "scene"):
        raise CheckpointError(
            f"{path} says it was trained on {poses!r} poses",
            remedy="It must be object or scene.",
        )
    is_folder = path.parent == Path(name)
    return checkpoint, path.parent.resolve().name if is_folder else path.stem, poses


def describe(name: str) -> dict[str, Any]:
    """What is known about named weights without loading them."""
    known = REGISTRY[name]
    path = local_path(name)
    return {
        "name": name,
        "poses": known.poses,
        "height": known.height,
        "width": known.width,
        "source": "package" if known.repository is None else known.repository,
        "path": None if path is None else str(path),
    }
