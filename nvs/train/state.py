"""Checkpoints of a run: everything it needs to go on as if never stopped."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nvs.errors import CheckpointError
from nvs.files import atomic_output
from nvs.train.config import TrainConfig

MAGIC = b"lact-nvs training state 1\n"
NUM_KEPT = 2
DIGEST_BYTES = 32


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainState:
    """A run between two steps."""

    config: TrainConfig
    """The run."""
    step: int
    """Steps done; with the seed this is the position in the data."""
    elapsed_seconds: float
    """Time trained, over all sessions."""
    num_skipped: int
    """Steps left out for their gradient."""
    num_skipped_in_row: int = 0
    """Those of them at the end."""
    network: Mapping[str, Tensor]
    """Weights."""
    mean: Mapping[str, Tensor]
    """Running mean of the weights."""
    optimisers: list[dict[str, Any]]
    """States of the optimisers."""
    random: Mapping[str, Tensor]
    """States of the generators of random numbers."""


def save_state(folder: Path, state: TrainState) -> Path:
    """Write a checkpoint, then remove all but the last two.

    Raises:
        OutputError: If it cannot be written; earlier ones are then still there.
    """
    content = {field.name: getattr(state, field.name) for field in fields(state)}
    content["config"] = state.config.to_json()
    for key in ("network", "mean", "random"):
        content[key] = dict(content[key])
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getbuffer()
    path = folder / f"checkpoint-{state.step:08d}.pt"
    with atomic_output(path) as temporary, temporary.open("wb") as file:
        file.write(MAGIC)
        file.write(hashlib.sha256(payload).digest())
        file.write(payload)
    for old in list_states(folder)[:-NUM_KEPT]:
        old.unlink()
    return path


def list_states(folder: Path) -> list[Path]:
    """Checkpoints in a folder, oldest first."""
    pattern = re.compile(r"checkpoint-\d{8,}\.pt")
    found = [p for p in folder.glob("checkpoint-*.pt") if pattern.fullmatch(p.name)]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("checkpoint-")))


def load_state(path: Path) -> TrainState:
    """Read a checkpoint.

    Raises:
        CheckpointError: If it is damaged or not one of ours.
        ConfigError: If its configuration is of another version.
    """
    earlier = [p for p in list_states(path.parent) if p != path]
    remedy = "Start again without --resume, in another folder."
    if earlier:
        remedy = f"Delete it to go on from {earlier[-1].name}."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror or error})", remedy=remedy
        ) from error
    if not content.startswith(MAGIC):
        raise CheckpointError(
            f"{path} is not a training checkpoint ({len(content)} bytes)", remedy=remedy
        )
    start = len(MAGIC) + DIGEST_BYTES
    digest, payload = content[len(MAGIC) : start], memoryview(content)[start:]
    if hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(
            f"{path} is damaged: its {len(content)} bytes do not match their digest",
            remedy=remedy,
        )
    try:
        values = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        config = TrainConfig.from_json(values.pop("config"))
        return TrainState(config=config, **values)
    except (RuntimeError, TypeError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} is of another version ({str(error).splitlines()[0]})",
            remedy=remedy,
        ) from error


def random_state() -> dict[str, Tensor]:
    """States of torch's generators of random numbers."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_state(states: Mapping[str, Tensor]) -> None:
    """Put the generators back where `random_state` found them."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
