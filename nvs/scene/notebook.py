"""What a notebook shows of values that hold pictures: facts and thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

import numpy as np
from jaxtyping import UInt8

from nvs.scene.pictures import data_url

MAX_THUMBNAILS = 32
THUMBNAIL_PX = 96


def card(
    title: str,
    facts: Mapping[str, str],
    names: Sequence[str],
    thumbnail: Callable[[int], UInt8[np.ndarray, "height width 3"]],
) -> str:
    """HTML of one value, which fits a light and a dark page.

    Args:
        title: What it is.
        facts: What is known about it.
        names: What its views are called; of many views the first are shown.
        thumbnail: The picture of a view, by its number.
    """
    shown = names[:MAX_THUMBNAILS]
    rows = (
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    figures = (
        f"<img src='{data_url(thumbnail(index), 'jpeg')}' alt='{escape(name)}' "
        f"title='{escape(name)}' style='margin:0'>"
        for index, name in enumerate(shown)
    )
    more = len(names) - len(shown)
    return (
        f"<div><b>{escape(title)}</b><table>{''.join(rows)}</table>"
        "<div style='display:flex;flex-wrap:wrap;gap:4px;margin-top:4px'>"
        f"{''.join(figures)}{f'<span>and {more} more</span>' if more else ''}"
        "</div></div>"
    )
