"""The documentation and the commands agree, in both directions."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from nvs_data.commands import app

DOCS = Path(__file__).resolve().parents[3] / "docs"
COMMANDS = typer.main.get_command(app).commands
"""Of the application itself, so that a new command or option fails here."""


def sections() -> list[str]:
    """Text under each heading of the pages about data."""
    pages = (page.read_text() for page in sorted(DOCS.glob("data*.md")))
    return [part for page in pages for part in re.split(r"^#+ ", page, flags=re.M)]


def options(command: str) -> set[str]:
    """Every spelling of every option of a command, but --help."""
    parameters = [p for p in COMMANDS[command].params if p.param_type_name == "option"]
    return {
        spelling
        for parameter in parameters
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    } - {"--help", "--output"}


def examples() -> list[list[str]]:
    """Words of every `nvs data` line in a block of code, continued lines joined."""
    blocks = re.findall(r"```bash\n(.*?)```", "".join(sections()), flags=re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [
        shlex.split(line, comments=True)[2:]
        for line in lines
        if line.startswith("nvs data ")
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str) -> None:
    about = [part for part in sections() if re.search(rf"nvs data {command}\b", part)]
    assert about, f"docs/data*.md do not mention nvs data {command}"
    words = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(about)))
    assert options(command) <= words, options(command) - words


def test_examples_use_options_that_exist() -> None:
    shown = examples()
    assert {words[0] for words in shown} == set(COMMANDS)
    for command, *words in shown:
        used = {word for word in words if word.startswith("-")}
        assert used <= options(command), (command, used - options(command))
