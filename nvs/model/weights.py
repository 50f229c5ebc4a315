"""Named weights: where they come from and how they get onto this machine.

A name is resolved in this order: a path that exists, the weights that ship in the
package, the download cache, the hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from nvs.assets import WEIGHTS
from nvs.errors import WeightsUnavailableError
from nvs.files import file_sha256, write_text
from nvs.model.checkpoint import Checkpoint, load_checkpoint
from nvs.model.shards import exported_file
from nvs.model.trained_on import TrainedOn, of_older_export

RELEASED_REPOSITORY = "airsplay/lact_nvs"
DEFAULT_WEIGHTS = "lact_small"
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedWeights:
    """Weights that have a name."""

    name: str
    """What to say on the command line."""
    file: str
    """File in its repository, or in the package."""
    repository: str | None
    """Hub repository; None for weights that ship in the package."""
    trained_on: TrainedOn | None
    """What they were trained on, where their file does not say it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Weights:
    """Weights of a network, loaded."""

    checkpoint: Checkpoint
    """Configuration and weights."""
    name: str
    """What to call them: the stem of their file, or the name of their folder."""
    trained_on: TrainedOn
    """What they were trained on, as far as that is known."""
    path: Path | None
    """The file or exported folder that was asked for, in full; None if a registered
    name was."""


def _object(size_px: int) -> NamedWeights:
    return _released(
        f"obj_res{size_px}.pt",
        TrainedOn(
            poses="object",
            sizes=((size_px, size_px),),
            distance=(2.7, 2.7),
            elevation_degrees=(0.0, 60.0),
            hfov_degrees=(50.0, 50.0),
            background="white",
        ),
    )


def _scene(height: int, width: int) -> NamedWeights:
    return _released(
        f"scene_res{height}x{width}.pt",
        TrainedOn(poses="scene", sizes=((height, width),), background="any"),
    )


def _packaged(name: str) -> NamedWeights:
    """Weights in the package, whose files say what they were trained on."""
    return NamedWeights(
        name=name, file=f"{name}.safetensors", repository=None, trained_on=None
    )


def _released(file: str, trained_on: TrainedOn) -> NamedWeights:
    return NamedWeights(
        name=file.removesuffix(".pt"),
        file=file,
        repository=RELEASED_REPOSITORY,
        trained_on=trained_on,
    )


REGISTRY: Mapping[str, NamedWeights] = {
    weights.name: weights
    for weights in (
        _packaged("lact_small"),
        _packaged("lact_room"),
        _object(256),
        _object(512),
        _object(1024),
        _scene(128, 128),
        _scene(256, 256),
        _scene(512, 512),
        _scene(72, 128),
        _scene(144, 256),
        _scene(288, 512),
        _scene(536, 960),
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
    `download`.

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


def load_weights(name: str | None = None) -> Weights:
    """Weights by name or path; the path of a file or of an exported folder.

    What they were trained on is what their file records or, in older exports, what the
    configuration of their run tells; else what the registry knows of that name.

    Raises:
        WeightsUnavailableError: If they cannot be found or fetched.
        CheckpointError: If they are damaged.
    """
    name = name or DEFAULT_WEIGHTS
    path = get_weights(name)
    checkpoint = load_checkpoint(path)
    asked, folder = Path(name), path.parent
    return Weights(
        checkpoint=checkpoint,
        name=folder.resolve().name if folder == asked else path.stem,
        trained_on=_trained_on(checkpoint.about, path),
        path=asked.resolve() if asked in (path, folder) else None,
    )


def trained_on_of(name: str) -> TrainedOn:
    """What weights were trained on; those of a name are not fetched for it.

    Raises:
        WeightsUnavailableError: If there are none of that name, and no such file.
        CheckpointError: If they are damaged.
    """
    known = REGISTRY.get(name)
    return (known and known.trained_on) or load_weights(name).trained_on


def _trained_on(about: Mapping[str, Any], path: Path) -> TrainedOn:
    if "trained_on" in about:
        return TrainedOn.from_json(about["trained_on"], path)
    if isinstance(about.get("training"), Mapping):
        return of_older_export(about, path)
    known = REGISTRY.get(path.stem)
    record = (known and known.trained_on) or TrainedOn()
    if about.get("poses", record.poses) != record.poses:  # then it is another file
        return TrainedOn.from_json({"poses": about["poses"]}, path)
    return record


def describe(name: str) -> dict[str, Any]:
    """What is known about named weights; only packaged ones are loaded for it."""
    known = REGISTRY[name]
    path = local_path(name)
    return {
        "name": name,
        "trained_on": trained_on_of(name),
        "source": "package" if known.repository is None else known.repository,
        "path": None if path is None else str(path),
    }


def download(repository: str, file: str, folder: Path) -> Path:
    """Fetch a file of a hub repository, with a progress bar.

    What has arrived is kept in a `.partial` file named after the content, so that a
    run that was interrupted, killed or cut off is resumed by the next one. The SHA-256
    is checked against the hub's where it states one, and recorded beside the file.

    Raises:
        WeightsUnavailableError: If the hub cannot be reached or does not have the file,
            or if what arrives is not what it promised.
        OutputError: If the hash cannot be recorded.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    transport_error = HfHubHTTPError.__bases__[0]  # of the hub's own HTTP library
    target = folder / file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        metadata = get_hf_file_metadata(hf_hub_url(repository, file))
        partial = folder / f"{file}.{(metadata.etag or 'unknown')[:16]}.partial"
        with partial.open("ab") as out:
            if out.tell() != metadata.size:
                http_get(
                    metadata.location,
                    out,
                    resume_size=out.tell(),
                    headers=build_hf_headers(),
                    expected_size=metadata.size,
                    displayed_filename=file,
                )
            out.flush()
            os.fsync(out.fileno())
    except (transport_error, OSError) as error:  # pyright: ignore
        raise WeightsUnavailableError(
            f"cannot download {file} of {repository} ({type(error).__name__}: "
            f"{str(error).splitlines()[0]})",
            remedy="Check the network connection and try again (a started download "
            f"resumes), or copy the file to {target}.",
        ) from error
    found = file_sha256(partial)
    stated = metadata.etag or ""
    if SHA256.fullmatch(stated) and found != stated:
        partial.unlink()
        raise WeightsUnavailableError(
            f"{file} of {repository} arrived damaged (SHA-256 {found[:12]}…, "
            f"the hub states {stated[:12]}…)",
            remedy="Try again; it will be fetched from the start.",
        )
    write_text(recorded_hash_path(target), found + "\n")
    partial.replace(target)
    return target


def recorded_hash_path(path: Path) -> Path:
    """Where the hash of a download is recorded."""
    return path.with_name(path.name + ".sha256")
