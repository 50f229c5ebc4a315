"""`nvs serve` and `nvs keys` where something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (["serve", "--port", "0"], ["keys", "list"])


def without(module: str, command: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and errors of a command for which a module is not there."""
    code = (
        f"import sys; sys.modules[{module!r}] = None; from nvs.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--data-folder", str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_extra_is_named(command: list[str], tmp_path: Path) -> None:
    code, said = without("sqlalchemy", command, tmp_path)
    assert code == 2
    assert said == (
        "nvs: this needs the package 'sqlalchemy', which is not installed. "
        "Install it with: pip install 'lact-nvs[server]'\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_module_of_ours_that_is_missing_is_a_fault(
    command: list[str], tmp_path: Path
) -> None:
    code, said = without("nvs_server.storage.keys", command, tmp_path)
    assert code == 1
    assert said.startswith("Traceback")
    assert "nvs_server.storage.keys" in said
    assert "pip install" not in said


def test_files_of_common_names_beside_us_are_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("server", "eval", "data_tools"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not ours')\n")
    for command in (["keys", "list", "--data-folder", "."], ["eval", "--help"]):
        subprocess.run(
            [sys.executable, "-m", "nvs.cli", *command], cwd=tmp_path, check=True
        )
