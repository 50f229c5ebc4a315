"""Pictures of a report: worst and best scenes, and sliders to compare, as HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from nvs.images import read_image
from nvs.scene.pictures import data_url, shrunk
from nvs_eval.runs.records import Row, picture_folder
from nvs_eval.summary import Setting, method_label, setting_of

LONGEST_PX = 512
"""Pictures are shrunk to it, so that a page stays small."""
ERROR_GAIN = 4
"""Error maps show the mean absolute error times this."""

Picture = UInt8[np.ndarray, "height width 3"]

NUM_EXAMPLES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One target of a scene, rendered by one method."""

    scene: str
    """The scene."""
    method: str
    """What rendered it."""
    setting: Setting
    """Size and number of views."""
    psnr: float
    """Of this target, in dB."""
    scene_psnr: float
    """Mean over the scene's targets."""
    truth: str
    """PNG as a data URL."""
    render: str
    """PNG as a data URL."""
    error: str
    """PNG as a data URL."""


def extremes(
    out: Path, rows: Sequence[Row], method: str, count: int
) -> tuple[list[Example], list[Example]]:
    """The worst and the best scenes of a method, by PSNR.

    They are taken at the largest size and view count that the method was run at, each
    scene once and in one of the two lists only.

    Returns:
        Worst first, and best first.
    """
    ranked = sorted(
        _largest([row for row in rows if row["method"] == method]),
        key=lambda row: row["psnr"],
    )
    count_best = min(count, len(ranked) // 2)
    best = ranked[len(ranked) - count_best :][::-1]
    worst = ranked[: min(count, len(ranked) - count_best)]
    return [_example(out, row) for row in worst], [_example(out, row) for row in best]


def by_scene(out: Path, rows: Sequence[Row], count: int) -> list[list[Example]]:
    """Every method's picture of the first target of some scenes."""
    scenes: dict[str, list[Row]] = {}
    for row in _largest(rows):
        scenes.setdefault(row["scene"], []).append(row)
    return [[_example(out, row) for row in own] for own in [*scenes.values()][:count]]


def _url(image: Picture) -> str:
    return data_url(shrunk(image, LONGEST_PX))


def _largest(rows: Sequence[Row]) -> list[Row]:
    """Rows with pictures, at the largest size and view count that there is."""
    shown = [row for row in rows if row["pictures"]]
    largest = max(map(setting_of, shown), default=None)
    return [row for row in shown if setting_of(row) == largest]


def _example(out: Path, row: Row) -> Example:
    truth, render = _pictures(out, row)
    difference = np.abs(render.astype(float) - truth).mean(-1)
    heat = (ERROR_GAIN * difference).clip(0, 255).astype(np.uint8)
    coloured = cv2.cvtColor(
        cv2.applyColorMap(heat, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
    )
    return Example(
        scene=row["scene"],
        method=row["method"],
        setting=setting_of(row),
        psnr=row["image_psnr"][0],
        scene_psnr=row["psnr"],
        truth=_url(truth),
        render=_url(render),
        error=_url(coloured),
    )


def _pictures(out: Path, row: Row) -> tuple[Picture, Picture]:
    size, name = (row["height"], row["width"]), row["pictures"][0]
    truth = picture_folder(out, size, row["scene"])
    render = picture_folder(
        out, size, row["scene"], num_views=row["num_views"], method=row["method"]
    )
    return read_image(truth / name), read_image(render / name)


def html_extremes(
    folders: Sequence[Path],
    runs: Mapping[str, Sequence[Row]],
    methods: Mapping[str, str],
) -> str:
    """The worst and the best scenes of each run's main method.

    Args:
        folders: The runs' folders.
        runs: Their rows by label, in the same order.
        methods: The main method of each label.
    """
    parts: list[str] = []
    for folder, (label, rows) in zip(folders, runs.items(), strict=True):
        worst, best = extremes(folder, rows, methods[label], NUM_EXAMPLES)
        name = escape(method_label(label, methods[label]))
        first = f"Worst scenes of {name}" if best else f"The scene by {name}"
        for heading, examples in ((first, worst), (f"Best scenes of {name}", best)):
            if examples:
                parts.append(f"<h3>{heading}</h3>" + "".join(map(_figure, examples)))
    return "".join(parts)


def html_sliders(folders: Sequence[Path], runs: Mapping[str, Sequence[Row]]) -> str:
    """A slider a scene: truth and every method's render, two at a time."""
    return "".join(
        _slider(examples)
        for folder, rows in zip(folders, runs.values(), strict=True)
        for examples in by_scene(folder, rows, NUM_EXAMPLES)
    )


def _figure(example: Example) -> str:
    pictures = (
        ("Truth", example.truth),
        ("Render", example.render),
        (f"{ERROR_GAIN} × absolute error", example.error),
    )
    images = "".join(
        f'<div><img src="{url}" alt="{name}: {escape(example.scene)}">'
        f"<span>{name}</span></div>"
        for name, url in pictures
    )
    caption = (
        f"<b>{escape(example.scene)}</b>, {_where(example)}. "
        f"This target {example.psnr:.2f} dB, the scene {example.scene_psnr:.2f} dB."
    )
    return (
        f'<figure><div class="row">{images}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _slider(examples: Sequence[Example]) -> str:
    first = examples[0]
    names = ["truth", *(f"{one.method}, {one.psnr:.2f} dB" for one in examples)]
    urls = [first.truth, *(one.render for one in examples)]

    def select(side: str, chosen: int) -> str:
        options = "".join(
            f"<option{' selected' if index == chosen else ''}>{escape(name)}</option>"
            for index, name in enumerate(names)
        )
        return f'<select aria-label="{side} picture">{options}</select>'

    width, height = first.setting.width, first.setting.height
    return (
        f'<figure class="compare" data-urls="{escape(json.dumps(urls))}">'
        f'<div class="slider" style="aspect-ratio:{width}/{height}">'
        '<img alt="left"><img alt="right">'
        '<input type="range" min="0" max="100" value="50" step="0.1" '
        'aria-label="Where to cut"></div>'
        f'<div class="controls">{select("Left", 0)}{select("Right", 1)}</div>'
        f"<figcaption><b>{escape(first.scene)}</b>, {_where(first)}</figcaption>"
        "</figure>"
    )


def _where(example: Example) -> str:
    setting = example.setting
    views = f"{setting.num_views} views, " if setting.num_views else ""
    return f"{views}{setting.height}×{setting.width}"
