"""The packages have names of their own: no import and no text uses a folder's name.

The folders `server`, `eval` and `data_tools` hold one package each. A module called
after a folder could be anybody's; one that is only tried, as `importorskip` does, would
be skipped in silence.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"server": "nvs_server", "eval": "nvs_eval", "data_tools": "nvs_data"}
SOURCES = ("nvs", *PACKAGES, "tests", "examples", "docs")
TEXTS = [
    path
    for pattern in ("*.md", "docs/**/*.md", "*.toml", "Makefile", ".ci/*")
    for path in ROOT.glob(pattern)
]
MODULES = [path for name in SOURCES for path in (ROOT / name).rglob("*.py")]


@functools.cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_bytes()) for path in MODULES}


def _pattern() -> re.Pattern[str]:
    """A folder's name where a module's belongs."""
    uses: list[str] = []
    for folder, package in PACKAGES.items():
        inside = {p.stem for p in (ROOT / folder / package).iterdir()} - {"__init__"}
        modules = "|".join(sorted(map(re.escape, inside)))
        uses += [
            rf"(?<![\w./]){folder}\.(?:(?:{modules})\b(?!\()|\{{)",
            rf"\A{folder}\.\Z",
            rf"\bfrom {folder}[.\w]* import\b",
            rf"\bimport {folder}\b",
            rf"-m {folder}\b",
            rf"'{folder}'[\s\S]*\bin sys\.modules",
        ]
    return re.compile("|".join(uses))


OLD = _pattern()


def texts_of(tree: ast.AST) -> Iterator[str]:
    """Every string of a module, with {} where a formatted one takes a value."""
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            values = (getattr(part, "value", "") for part in node.values)
            yield "".join(v if isinstance(v, str) else "{}" for v in values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in parts:
                yield node.value


def imported_by(tree: ast.AST) -> Iterator[str]:
    """First word of every module that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_folder_holds_one_package(folder: str) -> None:
    held = {path.name for path in (ROOT / folder).iterdir()} - {"__pycache__"}
    assert {name for name in held if name[-9:] != ".egg-info"} == {PACKAGES[folder]}


def test_no_import_uses_the_name_of_a_folder() -> None:
    for path, tree in trees().items():
        found = set(imported_by(tree)) & set(PACKAGES)
        assert not found, f"{path} imports {found}"


def test_no_string_uses_the_name_of_a_folder_as_a_module() -> None:
    for path, tree in trees().items():
        if path == Path(__file__):
            continue
        for text in texts_of(tree):
            found = OLD.search(text)
            assert not found, f"{path} says {found.group()!r} in {text!r}"


def test_no_page_uses_the_name_of_a_folder_as_a_module() -> None:
    for path in TEXTS:
        found = OLD.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path} says {found.group()!r}"


@pytest.mark.parametrize(
    "text",
    [
        "server.routes.{}",
        "server.",
        "server.{}",
        "import eval.complexity",
        "import sys; import server",
        ">>> from eval.runs import run",
        "python -m server.worker",
        "data_tools.readers.blender:BlenderReader",
        "print([m for m in ('torch', 'data_tools') if m in sys.modules])",
    ],
)
def test_old_names_are_recognised(text: str) -> None:
    assert OLD.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "tests.server.conftest",
        "self.server.app",
        "nvs_server.compute.worker",
        "eval",
        "see docs/server.md, for the server. It",
        "data_tools/nvs_data",
        "from server to server",
    ],
)
def test_other_words_are_left_alone(text: str) -> None:
    assert not OLD.search(text)
