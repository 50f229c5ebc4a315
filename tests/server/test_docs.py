"""docs/server.md names every setting, metric and kind of problem there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ByteSize
from pydantic.fields import FieldInfo

from nvs_server.edge.problem_kinds import KINDS
from nvs_server.settings import PREFIX, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")


def default(name: str, field: FieldInfo) -> str:
    """A default as the page writes it."""
    if name == "data_folder":
        return "the user's data folder"
    value: Any = field.get_default(call_default_factory=True)
    if value in (None, "", ()):
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, ByteSize):
        return re.sub(r"\.0(?=\D)", "", value.human_readable(separator=" "))
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_has_its_row(name: str) -> None:
    field = Settings.model_fields[name]
    row = f"| `{PREFIX}{name.upper()}` | {default(name, field)} | {field.description} |"
    assert row in PAGE.splitlines()


def test_no_row_names_a_setting_that_is_not_there() -> None:
    named = set(re.findall(rf"`{PREFIX}([A-Z_]+)`", PAGE))
    assert named == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("slug", KINDS)
def test_each_kind_of_problem_has_its_row(slug: str) -> None:
    kind = KINDS[slug]
    assert f"| `{slug}` | {kind.status} | {kind.title} |" in PAGE.splitlines()


def test_each_metric_is_named(client: Any) -> None:
    text = client.get("/metrics").text
    names = set(re.findall(r"^# TYPE (nvs_\w+)", text, re.MULTILINE))
    families = {name.removesuffix("_total") for name in names}
    missing = {
        name
        for name in families
        if not name.endswith("_created") and f"`{name}`" not in PAGE
    }
    assert not missing
