"""A package that an extra lists is a hint; whatever else is missing is a fault."""

from __future__ import annotations

import re
from importlib.metadata import requires

import pytest

from nvs.errors import MissingExtraError
from nvs.terminal.extras import needs_extra

LISTED = sorted(
    re.split(r"[^\w.-]", line)[0]
    for line in requires("lact-nvs") or ()
    if re.search(r"extra == .server.", line) and not line.startswith("lact-nvs")
)


def missing(module: str | None) -> None:
    with needs_extra("server"):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)


@pytest.mark.parametrize("distribution", LISTED)
def test_every_package_of_the_extra_is_a_hint(distribution: str) -> None:
    with pytest.raises(MissingExtraError, match=r"pip install -e '\.\[server\]'"):
        missing(distribution.replace("-", "_"))


@pytest.mark.parametrize(
    "module", ["opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp"]
)
def test_packages_that_share_a_name_are_hints(module: str) -> None:
    with pytest.raises(MissingExtraError, match=re.escape(repr(module))):
        missing(module)


@pytest.mark.parametrize(
    "module",
    ["nvs_server.settings", "nvs_server", "fastapi.gone", "pycolmap", "py", "", None],
)
def test_anything_else_is_a_fault(module: str | None) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        missing(module)
    assert not isinstance(caught.value, MissingExtraError)
