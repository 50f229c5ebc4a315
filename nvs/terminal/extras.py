"""A missing package that an extra installs is a hint; any other is a fault."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import requires

from nvs.errors import MissingExtraError


@contextmanager
def needs_extra(extra: str) -> Generator[None]:
    """Say which extra to install if the block imports a package of it in vain.

    Raises:
        MissingExtraError: If the extra lists the package that is missing. Any other
            ModuleNotFoundError passes: something is broken, not left out.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not error.name or not _installs(extra, error.name):
            raise
        raise MissingExtraError(error.name, extra) from error


def _installs(extra: str, module: str) -> bool:
    """Whether an extra lists a distribution that is named after a module.

    Either the names are equal, or the distribution's begins with the module's, as
    opentelemetry-exporter-otlp-proto-http does with opentelemetry.exporter. What is
    missing inside an installed package, such as fastapi.no_such_module, is not listed.
    """
    name = re.escape(re.sub(r"[._]", "-", module.lower()))
    pattern = rf"{name}\b.*;\s*extra\s*==\s*['\"]{re.escape(extra)}['\"]"
    return any(re.match(pattern, line) for line in requires("lact-nvs") or ())
