"""Trained weights as files to keep: one, or shards under a size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nvs.config import ModelConfig
from nvs.errors import CheckpointError
from nvs.files import atomic_output, remove_file, remove_leftovers
from nvs.model.checkpoint import load_checkpoint, save_checkpoint
from nvs.model.shards import MANIFEST, WEIGHTS, remove_shards, split_file

MIB = 2**20


def export_weights(
    folder: Path,
    config: ModelConfig,
    state: Mapping[str, Tensor],
    *,
    about: Mapping[str, Any],
    shard_bytes: int | None,
    dtype: torch.dtype = torch.bfloat16,
) -> list[Path]:
    """Write weights to a folder and check that they read back.

    They take the place of what was exported there before, in either form. Whenever
    this is interrupted, the folder gives the old weights or the new ones.

    Args:
        folder: Where to write `weights.safetensors`, or its shards and their manifest.
        config: The network.
        state: Its weights.
        about: What is known about them.
        shard_bytes: Largest size of a file; one file whatever its size if absent.
        dtype: Precision of the weights.

    Returns:
        The files written.

    Raises:
        OutputError: If a file cannot be written.
        CheckpointError: If what was written does not read back the same.
    """
    remove_leftovers(folder, ".weights")
    whole = folder / WEIGHTS
    with atomic_output(whole) as temporary:
        digest = save_checkpoint(temporary, config, state, about=about, dtype=dtype)
        _expect(load_checkpoint(temporary, config).digest, digest, whole)
    remove_shards(folder)
    paths = [whole]
    if shard_bytes is not None and whole.stat().st_size > shard_bytes:
        paths = split_file(whole, shard_bytes)
        _expect(load_checkpoint(folder / MANIFEST, config).digest, digest, folder)
        remove_file(whole)
    _expect(load_checkpoint(folder, config).digest, digest, folder)
    return paths


def _expect(found: str, expected: str, path: Path) -> None:
    if found != expected:
        raise CheckpointError(
            f"{path} does not read back as it was written",
            remedy="Check the disk and export again.",
        )
