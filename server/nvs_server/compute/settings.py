"""What the backend on this machine can be told, and what it tells its processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nvs.api.values import MAX_SIDE_PX

PrecisionName = Literal["auto", "float32", "bfloat16"]

GIB = 2**30


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalSettings:
    """Settings of `LocalBackend`."""

    blobs_url: str
    """Folder or URL of the stored files."""
    disk_cache_folder: Path
    """Where files of a remote store are kept for reading."""
    disk_cache_bytes: int = 64 * GIB
    weights: tuple[str, ...] = ("lact_tiny",)
    """Names or files; the first is the default."""
    devices: tuple[str, ...] = ()
    """One worker each; empty is every CUDA device, or the CPU."""
    precision: PrecisionName = "auto"
    threads: int | None = None
    """Threads of each worker; torch's choice if absent."""
    device_cache_bytes: int = 4 * GIB
    """Scenes kept on each device, where that is not the CPU."""
    host_cache_bytes: int = 8 * GIB
    """Scenes kept in each worker's main memory."""
    max_side_px: int = MAX_SIDE_PX
    """Longest side of an image that is built from or rendered."""
    max_views: int = 256
    """Most input views of a scene."""
    max_image_pixels: int = 100_000_000
    """Largest image of a stranger that is decoded."""
    inspector_memory_bytes: int = 3 * GIB
    """Data that an inspector process may hold."""
    image_timeout_seconds: float = 60.0
    """Longest time to decode one uploaded image."""
    dataset_timeout_seconds: float = 600.0
    """Longest time to read a dataset or a scene file."""
    restart_seconds: float = 0.5
    """Delay before a process that died is started again; doubled each time."""
    ready_seconds: float = 60.0
    """How long jobs and inspections wait for a process that is being restarted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerConfiguration:
    """First message to a worker."""

    blobs_url: str
    disk_cache_folder: Path
    disk_cache_bytes: int
    weights: tuple[str, ...]
    device: str | None
    """None: the first CUDA device, or the CPU."""
    precision: str | None
    threads: int | None
    device_cache_bytes: int
    host_cache_bytes: int
    max_side_px: int
    max_views: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectorConfiguration:
    """First message to an inspector."""

    memory_bytes: int
    max_image_pixels: int
    max_side_px: int
    max_views: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FastWeightShapes:
    """What a scene file of some weights must hold."""

    num_blocks: int
    matrices: tuple[tuple[int, ...], ...]
    """Shapes of the fast weights of each block."""
