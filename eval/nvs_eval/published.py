"""Numbers from papers, each with its source, to stand beside measured ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvs_eval.summary import Setting

FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One line of a paper's table."""

    setting: Setting
    """The setting it is closest to."""
    method: str
    """What was measured."""
    psnr: float
    """In dB."""
    ssim: float
    """Of the kind that `ssim_column` says."""
    lpips: float
    """Of one backbone or the other; most papers use VGG."""
    source: str
    """Paper and table."""
    ssim_column: str = "ssim_gaussian"
    """Where its SSIM belongs; where the paper does not say, the Gaussian one."""
    note: str = ""
    """In what its setting differs."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its values by the columns of measured ones."""
        return {
            "psnr": self.psnr,
            self.ssim_column: self.ssim,
            "lpips_vgg": self.lpips,
        }

    @property
    def cited(self) -> str:
        """Its source, with what differs."""
        return self.source + (f"; {self.note}" if self.note else "")


def published(settings: Sequence[Setting] | None = None) -> list[Published]:
    """Published lines of some settings, or all, in the order of tables."""
    content = json.loads(FILE.read_text(encoding="utf-8"))
    lines = [_line(dict(row)) for row in content["quality"]]
    if settings is not None:
        lines = [line for line in lines if line.setting in settings]
    return sorted(lines, key=lambda line: line.setting)


def published_complexity() -> dict[str, Any]:
    """Table 2 of the LaCT paper, as far as it could be checked."""
    return json.loads(FILE.read_text(encoding="utf-8"))["complexity"]


def _line(row: dict[str, Any]) -> Published:
    where = {key: row.pop(key) for key in ("protocol", "height", "width", "num_views")}
    return Published(setting=Setting(**where), **row)
