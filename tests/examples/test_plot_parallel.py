"""The plot of predicted efficiency can be drawn again."""

from __future__ import annotations

import runpy
from pathlib import Path

from PIL import Image

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "plot_parallel.py"


def test_it_draws_a_picture(tmp_path: Path) -> None:
    runpy.run_path(str(SCRIPT))["draw"](tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.width > 800
