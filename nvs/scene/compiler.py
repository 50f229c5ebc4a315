"""The compiler that compiling the network needs, and what it left on disk."""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

import torch
from platformdirs import user_cache_path

CACHE_SETTING = "TORCHINDUCTOR_CACHE_DIR"
SETTLED_SECONDS = 10.0
"""A library that was written to since then may still be linked by another process."""
ELF = b"\x7fELF\x02\x01"
SECTIONS_AT = 40
"""Where a 64-bit ELF header says where its table of sections, the last part, begins."""


def compiler(device: torch.device) -> str | None:
    """The compiler for a device; None where there is none.

    A C++ compiler for a CPU, a C compiler for a CUDA device that Triton knows.
    """
    if device.type == "cpu":
        names = shlex.split(os.environ.get("CXX", "g++"))[:1]
    elif device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        names = [*shlex.split(os.environ.get("CC", "gcc"))[:1], "cc", "clang"]
    else:
        names = []
    return next((found for name in names if (found := shutil.which(name))), None)


def no_compiler(device: torch.device) -> str:
    """What is missing, and the remedy, in words."""
    return f"no compiler found, install {'g++' if device.type == 'cpu' else 'gcc'}"


def keep_compiled() -> Path:
    """Have torch keep compiled code in the user's cache, unless the environment says.

    Libraries that are cut short, because the linker was killed, are removed: torch
    would load them for ever after, and fail.

    Returns:
        The folder.
    """
    usual = user_cache_path("lact-nvs") / "compiled"
    folder = Path(os.environ.setdefault(CACHE_SETTING, str(usual)))
    for library in folder.rglob("*.so"):
        with suppress(OSError):
            settled = time.time() - library.stat().st_mtime > SETTLED_SECONDS
            if settled and is_cut_short(library):
                library.unlink()
    return folder


def is_cut_short(library: Path) -> bool:
    """Whether a shared library ends before its table of sections does.

    Where libraries are not 64-bit ELF files, only empty ones are.
    """
    with library.open("rb") as file:
        header = file.read(64)
        size = file.seek(0, os.SEEK_END)
    if not header.startswith(ELF):
        return size == 0 or sys.platform == "linux"
    if len(header) < 64:
        return True
    (start,) = struct.unpack_from("<Q", header, SECTIONS_AT)
    entry_size, count = struct.unpack_from("<HH", header, 58)
    return size < start + entry_size * count
