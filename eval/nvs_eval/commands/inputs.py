"""Options that several commands of `nvs eval` share, and how lists are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.errors import ConfigError

LpipsFile = Annotated[
    Path | None, typer.Option(help="File of this LPIPS backbone, as torchvision's.")
]
RequireLpips = Annotated[
    bool, typer.Option("--require-lpips", help="Stop if LPIPS cannot be had.")
]
PICTURES_HELP = "Targets a scene to keep as pictures; -1 for all."


def parse_numbers(text: str | None, option: str) -> list[int] | None:
    """`4,8,12` as numbers.

    Raises:
        ConfigError: If it is not a list of positive numbers.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(
            f"{option} is {text!r}", remedy="Give positive numbers such as 4,8,12."
        )
    return [int(part) for part in parts]


def parse_sizes(text: str | None, option: str) -> list[tuple[int, int]] | None:
    """`256,536x960` as (height, width): one number is a square.

    Raises:
        ConfigError: If a size is neither a number nor HEIGHTxWIDTH.
    """
    if text is None:
        return None
    sizes: list[tuple[int, int]] = []
    for part in text.lower().split(","):
        sides = part.strip().split("x")
        if len(sides) > 2 or not all(s.isdigit() and int(s) > 0 for s in sides):
            raise ConfigError(
                f"{option} has {part!r}",
                remedy="Give sizes such as 256 (a square) or 536x960.",
            )
        sizes.append((int(sides[0]), int(sides[-1])))
    return sizes
