"""A new environment of Python that has the packages which the tests run with."""

from __future__ import annotations

import sys
import venv
from collections.abc import Sequence
from pathlib import Path


def make_environment(folder: Path, before: Sequence[Path] = ()) -> Path:
    """Make one in a folder; its interpreter.

    The packages are lines of a .pth file. What they bring of such lines is not read, so
    that an editable installation of this project is not seen.

    Args:
        folder: Where to make it.
        before: Folders whose modules come before those of the packages.
    """
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3*/site-packages")
    others = [path for path in sys.path if Path(path).name.endswith("-packages")]
    lines = [*map(str, before), *others]
    (packages / "dependencies.pth").write_text("\n".join(lines) + "\n")
    return folder / "bin" / "python"
