"""The page on the architecture names files and modules that are there."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ENTRY_POINTS = {"nvs.commands", "nvs.readers"}
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))


def _expanded(name: str) -> list[str]:
    braces = re.search(r"\{(.*)\}", name)
    if braces is None:
        return [name]
    return [name.replace(braces[0], one) for one in braces[1].split(",")]


def test_every_file_is_there() -> None:
    paths = [span for span in SPANS if re.match(r"(nvs|server|eval|data_tools)/", span)]
    assert len(paths) > 20
    for path in paths:
        for name in _expanded(path.removesuffix("NAME.py")):
            assert (ROOT / name).exists(), f"{path} is not there"


def test_every_module_is_there() -> None:
    modules = [span for span in SPANS if re.fullmatch(r"nvs(_\w+)?(\.\w+)*", span)]
    assert len(modules) > 15
    for module in set(modules) - ENTRY_POINTS:
        pkgutil.resolve_name(module)
