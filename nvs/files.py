"""Writing files so that a reader only ever sees them whole."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from nvs.errors import OutputError


@contextmanager
def atomic_output(path: Path | str) -> Generator[Path]:
    """Yield a temporary path that becomes `path` if the block succeeds.

    The temporary file or folder lies beside `path` and keeps its suffix; it is synced
    to disk before it is renamed, and removed if the block raises or is interrupted.

    Raises:
        OutputError: If the place cannot be written or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.stem}.", dir=path.parent))
    except OSError as error:
        raise _output_error(path, error) from error
    temporary = folder / path.name
    try:
        yield temporary
        if temporary.is_file():
            temporary.chmod(_usual_mode(folder))
        _sync(temporary)
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_output(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _usual_mode(folder: Path) -> int:
    """Permissions that a new file gets here; some writers make private ones."""
    probe = folder / ".mode"
    probe.touch()
    return probe.stat().st_mode & 0o777


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _output_error(path: Path, error: OSError) -> OutputError:
    if error.errno == errno.ENOSPC:
        return OutputError(
            f"no space left on the disk while writing {path}",
            remedy="Free some space or choose another output folder; "
            "nothing was overwritten.",
        )
    return OutputError(
        f"cannot write {path}: {error.strerror or error}",
        remedy="Check that the folder exists and that you may write there.",
    )
