"""Pictures of a report in HTML: worst and best scenes, and sliders to compare."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from nvs_eval.report.examples import ERROR_GAIN, Example, by_scene, extremes
from nvs_eval.runs.records import Row
from nvs_eval.summary import method_label

NUM_EXAMPLES = 3


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
