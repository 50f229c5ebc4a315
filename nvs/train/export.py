"""Trained weights as files to keep: one, or shards under a size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nvs.config import ModelConfig
from nvs.errors import CheckpointError
from nvs.model.checkpoint import load_checkpoint, save_checkpoint
from nvs.model.shards import MANIFEST, WEIGHTS, split_file

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
    whole = folder / WEIGHTS
    digest = save_checkpoint(whole, config, state, about=about, dtype=dtype)
    if shard_bytes is None or whole.stat().st_size <= shard_bytes:
        _expect(load_checkpoint(whole, config).digest, digest, whole)
        return [whole]
    paths = split_file(whole, shard_bytes)
    whole.unlink()
    _expect(load_checkpoint(folder, config).digest, digest, folder / MANIFEST)
    return paths


def _expect(found: str, expected: str, path: Path) -> None:
    if found != expected:
        raise CheckpointError(
            f"{path} does not read back as it was written",
            remedy="Check the disk and export again.",
        )
