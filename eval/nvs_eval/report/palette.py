"""One colour a method, the same in every table and chart of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b4b8a")
"""Told apart by most eyes (Okabe & Ito, Color Universal Design, 2008), and one more."""
PUBLISHED = "#8b93a1"


def palette(labels: Sequence[str]) -> Mapping[str, str]:
    """The colours of some labels; after seven they come again."""
    unique = dict.fromkeys(labels)
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(unique)}
