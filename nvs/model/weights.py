"""Named weights: where they come from and how they get onto this machine.

A name is resolved in this order: a path that exists, the weights that ship in the
package, the download cache, the hub.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path

from nvs.assets import WEIGHTS
from nvs.errors import CheckpointError, WeightsUnavailableError
from nvs.files import write_text
from nvs.model.checkpoint import Checkpoint, load_checkpoint

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
    """Where named weights, or a path, lie on this machine, if they do."""
    if Path(name).is_file():
        return Path(name)
    known = REGISTRY.get(name)
    if known is None:
        return None
    folder = WEIGHTS if known.repository is None else cache_folder()
    path = folder / known.file
    return path if path.is_file() else None


def get_weights(name: str) -> Path:
    """The file of named weights, downloaded if it is not here yet.

    Downloads show a progress bar and resume where they stopped. The SHA-256 of a
    download is recorded beside it, and checked when the weights are fetched again.

    Raises:
        WeightsUnavailableError: If the name is unknown or the hub cannot be reached.
    """
    path = local_path(name)
    if path is not None:
        return path
    known = REGISTRY.get(name)
    if known is None:
        raise WeightsUnavailableError(
            f"there is no file and no named weights {name!r}",
            remedy=f"Give a path, or one of {', '.join(REGISTRY)}.",
        )
    if known.repository is None:
        raise WeightsUnavailableError(
            f"the packaged weights {name} are missing at {WEIGHTS / known.file}",
            remedy="Reinstall lact-nvs.",
        )
    path = _download(known.repository, known.file)
    write_text(recorded_hash_path(path), file_hash(path) + "\n")
    return path


def load_weights(name: str | None = None) -> tuple[Checkpoint, str, Poses]:
    """Weights by name or path.

    Returns:
        The checkpoint, what to call it, and the poses it was trained on: as the
        registry says, or the file's own `about`, or `object`.

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
    return checkpoint, path.stem, poses


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


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded_hash_path(path: Path) -> Path:
    """Where the hash of a download is recorded."""
    return path.with_name(path.name + ".sha256")


def _download(repository: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    transport_error = HfHubHTTPError.__bases__[0]  # of the hub's own HTTP library
    folder = cache_folder()
    try:
        return Path(hf_hub_download(repository, file, local_dir=folder))
    except (transport_error, OSError) as error:  # pyright: ignore
        raise WeightsUnavailableError(
            f"cannot download {file} of {repository} ({type(error).__name__}: "
            f"{str(error).splitlines()[0]})",
            remedy="Check the network connection and try again (a started download "
            f"resumes), or copy the file to {folder / file}.",
        ) from error
