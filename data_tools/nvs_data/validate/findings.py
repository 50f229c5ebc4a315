"""What validation says: one finding a fault, with its views and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nvs_data.validate.survey import Survey

Poses = Literal["object", "scene"]
"""Framing of the model that a capture is meant for: around one thing, or a scene."""
Severity = Literal["error", "warning", "info"]
Kind = Literal[
    "image",
    "not-finite",
    "not-rigid",
    "scaled",
    "reflected",
    "intrinsics",
    "looking-away",
    "framing",
    "black",
    "blurred",
    "duplicate",
    "near-duplicate",
    "repeated-image",
    "coverage",
    "outside-training",
]

MAX_NAMES = 4
"""Views that a message names before it counts the rest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One fault of a capture."""

    kind: Kind
    """Which fault."""
    severity: Severity
    """Error: views cannot be used. Warning: results suffer. Info: worth knowing."""
    views: tuple[int, ...]
    """Indices of the frames it is about; empty for the capture as a whole."""
    message: str
    """What is wrong, with names and values."""
    remedy: str
    """What to do about it."""


def verdict(finding: Finding) -> str:
    """The finding on one line."""
    return f"{finding.severity}: {finding.kind}: {finding.message}. {finding.remedy}"


def exit_code(findings: Sequence[Finding]) -> int:
    """Status for a command: 2 after errors, 1 after warnings, otherwise 0."""
    severities = {finding.severity for finding in findings}
    return 2 if "error" in severities else 1 if "warning" in severities else 0


def about_views(
    capture: Survey,
    kind: Kind,
    severity: Severity,
    views: Sequence[int],
    message: str,
    remedy: str,
) -> list[Finding]:
    """The finding about some views of a capture; nothing if there are none.

    Args:
        capture: The capture.
        kind: Which fault.
        severity: How grave it is.
        views: Indices of the views that have it.
        message: What is wrong, with `{count}` and `{names}` of the views, and `{total}`
            of the capture, where they belong.
        remedy: What to do about it.
    """
    if not views:
        return []
    filled = message.format(
        count=len(views), total=len(capture), names=listing(capture.names, views)
    )
    return [
        Finding(
            kind=kind,
            severity=severity,
            views=tuple(views),
            message=filled,
            remedy=remedy,
        )
    ]


def listing(names: Sequence[str], views: Sequence[int]) -> str:
    """Names of views, the first few and a count of the rest."""
    shown = ", ".join(names[view] for view in views[:MAX_NAMES])
    rest = len(views) - MAX_NAMES
    return f"{shown} and {rest} more" if rest > 0 else shown
