"""Writing files so that a reader only ever sees them whole, and their digests."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from nvs.errors import OutputError

TEMPORARY = re.compile(r"\.(?P<stem>.+)\.[a-z0-9_]{8}", re.DOTALL)
MODE_PROBE = ".mode"


@contextmanager
def atomic_output(path: Path | str, *, mode: int | None = None) -> Generator[Path]:
    """Yield a temporary path that becomes `path` if the block succeeds.

    The temporary file or folder lies beside `path` and keeps its suffix; it is synced
    to disk before it is renamed, and removed if the block raises or is interrupted.

    Args:
        path: Where the output goes.
        mode: Permissions of a file, such as 0o600; it is there from the start, empty,
            and never has others. What a new file usually gets if absent.

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
        if mode is not None:
            temporary.touch(mode=mode)
        yield temporary
        if temporary.is_file():
            temporary.chmod(_usual_mode(folder) if mode is None else mode)
        _sync(temporary)
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_new_folder(folder: Path) -> None:
    """Check that a folder to write does not exist, or is empty.

    Raises:
        OutputError: If it holds something, or is a file.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(
            f"{folder} is there already and not empty", remedy="Name a new folder."
        )


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_output(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_file(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        OutputError: If it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot remove {path}: {error.strerror or error}",
            remedy="Check that you may write in its folder.",
        ) from error


def remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove temporaries of `atomic_output` that a killed process left in a folder.

    A temporary is a folder `.{stem}.{8 random characters}` that holds nothing but an
    output of that stem. No other process may be writing such outputs meanwhile.

    Args:
        folder: Where the outputs lie; it need not exist.
        prefix: How the names of the temporaries begin, such as `.checkpoint-`.
    """
    for path in folder.glob(f"{glob.escape(prefix)}*"):
        if _is_temporary(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_temporary(path: Path) -> bool:
    name = TEMPORARY.fullmatch(path.name)
    if name is None or path.is_symlink() or not path.is_dir():
        return False
    try:
        entries = list(path.iterdir())
    except OSError:
        return False
    return all(
        entry.name == MODE_PROBE or entry.stem == name["stem"] or _is_temporary(entry)
        for entry in entries
    )


def _usual_mode(folder: Path) -> int:
    """Permissions that a new file gets here; some writers make private ones."""
    probe = folder / MODE_PROBE
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
