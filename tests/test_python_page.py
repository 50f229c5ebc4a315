"""docs/python.md: its blocks run, its reference is what the docstrings say.

`python tests/test_python_page.py` writes the reference.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

import nvs.cameras
import nvs.scene

FILE = Path(__file__).parents[1] / "docs/python.md"
PAGE = FILE.read_text(encoding="utf-8")
MARK = "<!-- by python tests/test_python_page.py -->\n"
WIDTH = 92


def summary(thing: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    text = inspect.getdoc(thing)
    assert text, thing
    return " ".join(text.partition("\n\n")[0].split())


def call(name: str, function: Any) -> str:
    """A signature without types and without `self`."""
    signature = inspect.signature(function)
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    bare = signature.replace(
        parameters=plain, return_annotation=inspect.Signature.empty
    )
    return f"{name}{bare}"


def item(code: str, text: str, indent: str = "") -> str:
    return textwrap.fill(
        f"{indent}- `{code}`: {text}",
        WIDTH,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def of_class(name: str, kind: type) -> Iterator[str]:
    text = summary(kind)
    if dataclasses.is_dataclass(kind):
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind))
        yield item(name, f"{text} Fields: {fields}.")
    else:
        yield item(call(name, kind), text)
    for member, value in vars(kind).items():
        if member.startswith("_"):
            continue
        if isinstance(value, property):
            yield item(f"{name}.{member}", summary(value), "  ")
        elif callable(value) or isinstance(value, staticmethod):
            found = getattr(kind, member)
            yield item(call(f"{name}.{member}", found), summary(found), "  ")


def of_module(module: ModuleType) -> Iterator[str]:
    for name in module.__all__:
        thing = getattr(module, name)
        if isinstance(thing, type):
            yield from of_class(name, thing)
        else:
            yield item(call(name, thing), summary(thing))


def reference() -> str:
    """The part of the page after the mark."""
    parts = (
        f"\n### {module.__name__}\n\n" + "\n".join(of_module(module)) + "\n"
        for module in (nvs.scene, nvs.cameras)
    )
    return "".join(parts)


def test_the_reference_is_what_the_docstrings_say() -> None:
    remedy = "run: python tests/test_python_page.py"
    assert PAGE.partition(MARK)[2] == reference(), remedy


def test_the_blocks_run_in_order(tmp_path: Path) -> None:
    script = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"BROWSER": "true"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr == ""
    said = re.findall(r"^ *print\(.*\)  # (.*)$", script, re.MULTILINE)
    assert len(said) > 3
    for line in said:
        if " " in line and "(" in line:
            assert line.rstrip("…") in done.stdout
    assert Image.open(tmp_path / "view.png").size == (64, 64)
    assert (tmp_path / "orbit.mp4").stat().st_size > 1000


if __name__ == "__main__":
    FILE.write_text(PAGE.partition(MARK)[0] + MARK + reference(), encoding="utf-8")
