"""Commands that parts bring as entry points."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points, version

import pytest
import typer
from typer.testing import CliRunner

from nvs.cli import GROUP, add_commands, app
from nvs.errors import MissingExtraError


def app_with(monkeypatch: pytest.MonkeyPatch, *values: str) -> typer.Typer:
    """An application with `own`, and `part0`, … of some entry points."""
    points = [EntryPoint(f"part{i}", value, GROUP) for i, value in enumerate(values)]
    monkeypatch.setattr("nvs.cli.entry_points", lambda group: points)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("own")(lambda: typer.echo("done"))
    add_commands(app)
    return app


def test_every_part_brings_its_commands(nvs) -> None:
    names = {point.name for point in entry_points(group=GROUP)}
    assert names >= {"data", "eval", "keys", "serve"}
    text = nvs("--help").out
    assert all(f"\n  {name} " in text for name in names)


def test_the_version_is_that_of_the_distribution(nvs) -> None:
    done = nvs("--version")
    assert (done.code, done.out, done.err) == (0, f"nvs {version('lact-nvs')}\n", "")


def test_nvs_is_a_module_that_runs() -> None:
    """Where the environment is not activated."""
    done = subprocess.run(
        [sys.executable, "-m", "nvs", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"nvs {version('lact-nvs')}\n"


def test_a_shell_completes_commands_and_options(monkeypatch, capsys) -> None:
    for typed, count, expected in (
        ("nvs ren", 1, "render"),
        ("nvs data po", 2, "pose"),
    ):
        monkeypatch.setenv("_NVS_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(count))
        with pytest.raises(SystemExit):
            app(prog_name="nvs")
        assert capsys.readouterr().out.split() == [expected]


def test_loading_parts_imports_only_typer_and_the_terminal() -> None:
    code = (
        "import json, sys, typer.rich_utils, rich.progress, rich.table; "
        "from importlib.metadata import entry_points; before = set(sys.modules); "
        "[point.load() for point in entry_points(group='nvs.commands')]; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = [name.split(".") for name in json.loads(done.stdout)]
    others = {words[0] for words in loaded} - set(sys.stdlib_module_names)
    assert others == {"nvs", "nvs_data", "nvs_eval", "nvs_server"}
    ours = {words[1] for words in loaded if words[0] == "nvs" and words[1:]}
    assert ours == {"errors", "terminal"}
    parts = {words[1] for words in loaded if words[0][:4] == "nvs_" and words[1:]}
    assert parts == {"commands"}


def test_a_function_and_a_group_become_commands(monkeypatch) -> None:
    app = app_with(monkeypatch, "nvs_server.commands:serve", "nvs_data.commands:app")
    shown = CliRunner().invoke(app, ["--help"]).output
    assert "part0" in shown
    assert "--port" in CliRunner().invoke(app, ["part0", "--help"]).output
    assert "validate" in CliRunner().invoke(app, ["part1", "--help"]).output


def test_a_part_that_is_absent_says_so_and_spoils_no_other(monkeypatch) -> None:
    app = app_with(monkeypatch, "nvs_ghost.commands:app")
    assert "Not installed" in CliRunner().invoke(app, ["--help"]).output
    assert CliRunner().invoke(app, ["own"]).output == "done\n"
    error = CliRunner().invoke(app, ["part0", "walk", "--fast", "1"]).exception
    assert isinstance(error, MissingExtraError)
    assert "'nvs_ghost'" in str(error)
    assert "pip install -e '.[ghost]'" in str(error)


@pytest.mark.parametrize("value", ["nvs_data.gone:app", "nvs_data.commands:gone"])
def test_a_broken_part_is_a_fault(monkeypatch, value: str) -> None:
    with pytest.raises((ModuleNotFoundError, AttributeError), match="gone"):
        app_with(monkeypatch, value)
