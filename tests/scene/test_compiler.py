"""The compiler, and libraries that it did not finish."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch

from nvs.scene import compiler

CPU = torch.device("cpu")


def test_the_compiler_is_what_cxx_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert compiler.compiler(CPU) is None
    assert "install g++" in compiler.no_compiler(CPU)
    monkeypatch.setenv("CXX", "ccache g++")
    assert compiler.compiler(CPU) is None
    (tmp_path / "ccache").touch(0o755)
    assert compiler.compiler(CPU) == str(tmp_path / "ccache")
    assert compiler.compiler(torch.device("meta")) is None


@pytest.fixture
def library(tmp_path: Path) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("needs a C compiler")
    source, made = tmp_path / "a.c", tmp_path / "cache" / "ab" / "a.so"
    source.write_text("int answer(void) { return 42; }\n")
    made.parent.mkdir(parents=True)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", made, source], check=True)
    return made


def test_every_shorter_library_is_cut_short(library: Path) -> None:
    assert not compiler.is_cut_short(library)
    whole = library.read_bytes()
    for size in (0, 1, 40, 64, len(whole) // 2, len(whole) - 1):
        library.write_bytes(whole[:size])
        assert compiler.is_cut_short(library), size


def test_what_is_cut_short_is_removed_once_it_is_settled(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = library.parents[1]
    monkeypatch.setenv(compiler.CACHE_SETTING, str(cache))
    whole = shutil.copy(library, library.with_name("whole.so"))
    library.write_bytes(library.read_bytes()[:500])
    assert compiler.keep_compiled() == cache
    assert library.exists(), "it may still be written"
    past = time.time() - 60
    for path in (library, Path(whole)):
        os.utime(path, (past, past))
    compiler.keep_compiled()
    assert not library.exists()
    assert Path(whole).exists()


def test_the_cache_is_the_user_s_where_nothing_else_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(compiler.CACHE_SETTING, "set first, so that it is put back")
    monkeypatch.delenv(compiler.CACHE_SETTING)
    assert tmp_path in compiler.keep_compiled().parents
