"""Safetensors files that know their own content.

Every file we write carries JSON metadata and a digest of metadata and tensors, so that
truncation, a flipped bit or an edited header is noticed on reading.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nvs.errors import NvsError, reason
from nvs.files import atomic_output

METADATA_KEY = "nvs"
DIGEST_KEY = "digest"


def content_digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """SHA-256 over metadata and tensors, independent of device and of key order."""
    digest = hashlib.sha256(_canonical(metadata).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]
) -> str:
    """Write a file atomically and return its content digest.

    The same content gives the same bytes.

    Raises:
        OutputError: If the file cannot be written.
    """
    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    digest = content_digest(plain, metadata)
    header = {METADATA_KEY: _canonical(metadata), DIGEST_KEY: digest}
    with atomic_output(path) as temporary:
        try:
            save_file(plain, temporary, metadata=header)
            _sort_header(temporary)
        except SafetensorError as error:
            raise OSError(str(error)) from error
    return digest


def read_tensors(
    path: Path | str, *, error: type[NvsError], remedy: str
) -> tuple[dict[str, Tensor], dict[str, Any], str | None]:
    """Memory-map a file and verify its digest if it carries one.

    Args:
        path: The file.
        error: What to raise when it cannot be read or is damaged.
        remedy: What the message should tell the user to do then.

    Returns:
        Tensors, metadata (empty for a file that is not ours) and the digest.
    """
    path = Path(path)
    num_bytes = _size(path, error)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = json.loads(header.get(METADATA_KEY, "{}"))
    except (SafetensorError, ValueError, OSError, RecursionError) as cause:
        raise error(
            f"truncated or not a safetensors file ({num_bytes} bytes: {reason(cause)})",
            remedy=remedy,
            subject=path,
        ) from cause
    if not isinstance(metadata, dict):
        raise error("its metadata is no JSON object", remedy=remedy, subject=path)
    digest = header.get(DIGEST_KEY)
    if digest is not None and digest != content_digest(tensors, metadata):
        raise error(
            f"damaged: its content does not match its digest {digest[:12]}…",
            remedy=remedy,
            subject=path,
        )
    return tensors, metadata, digest


def _size(path: Path, error: type[NvsError]) -> int:
    try:
        if path.is_file():
            return path.stat().st_size
    except OSError as cause:
        raise error(
            f"it cannot be read: {reason(cause)}",
            remedy="Check the path, and that you may read it.",
            subject=path,
        ) from cause
    raise error("there is no such file", remedy="Check the path.", subject=path)


def _sort_header(path: Path) -> None:
    """Put the metadata in order: safetensors writes it in a random one."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(text) <= length, "the same values take no more room"
        file.seek(8)
        file.write(text.ljust(length))


def _canonical(metadata: Mapping[str, Any]) -> str:
    return json.dumps(metadata, sort_keys=True, separators=(",", ":"))
