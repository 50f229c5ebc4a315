"""Pictures of a report: truth, render and error of scenes, as data URLs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from nvs.images import read_image
from nvs_eval.runs.pictures import picture_folder
from nvs_eval.runs.records import Row
from nvs_eval.summary import Setting, setting_key, setting_of

LONGEST_PX = 512
"""Pictures are shrunk to it, so that a page stays small."""
ERROR_GAIN = 4
"""Error maps show the mean absolute error times this."""

Picture = UInt8[np.ndarray, "height width 3"]


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


def data_url(image: Picture) -> str:
    """A PNG, at most 512 pixels long, that a page can hold."""
    scale = LONGEST_PX / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(
            image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()


def _largest(rows: Sequence[Row]) -> list[Row]:
    """Rows with pictures, at the largest size and view count that there is."""
    shown = [row for row in rows if row["pictures"]]
    largest = max((setting_of(row) for row in shown), key=setting_key, default=None)
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
        truth=data_url(truth),
        render=data_url(render),
        error=data_url(coloured),
    )


def _pictures(out: Path, row: Row) -> tuple[Picture, Picture]:
    size, name = (row["height"], row["width"]), row["pictures"][0]
    truth = picture_folder(out, size, row["scene"])
    render = picture_folder(
        out, size, row["scene"], num_views=row["num_views"], method=row["method"]
    )
    return read_image(truth / name), read_image(render / name)
