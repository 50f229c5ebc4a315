"""Masks by the real process: proposed files, or why there are none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nvs.api.masks import MaskRequest
from nvs.assets import SAMPLE
from nvs.errors import DatasetError
from nvs_server.compute.orders import MaskOrder

Running = Any


def order_of(output: Path, **request: Any) -> MaskOrder:
    return MaskOrder(
        folder=SAMPLE,
        output=output,
        images=tuple(f"renderings/{file.name}" for file in SAMPLE.rglob("*.png")),
        request=MaskRequest(**request),
    )


def test_masks_and_previews_are_proposed(running: Running, tmp_path: Path) -> None:
    """Of the sample itself, whose transparent pixels are black: an easy backdrop."""
    seen: list[float] = []
    order = order_of(tmp_path, force=True)
    found = running.run(
        running.backend.mask(order, lambda stage, share: seen.append(share))
    )
    assert seen == sorted(seen)
    assert {one.image for one in found.result.masks} == set(order.images)
    assert len(found.files) == 2 * len(order.images)
    overlaps = []
    for file in found.files:
        data = (tmp_path / file.path).read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            if file.kind == "preview":
                assert (image.format, max(image.size)) == ("JPEG", 256)
                continue
            assert (file.height, file.width) == (256, 256)
            mask = np.asarray(image) > 0
        name = file.path.removeprefix("proposed/masks/").removesuffix(".png")
        truth = np.asarray(Image.open(SAMPLE / name))[..., 3] >= 128
        overlaps.append((mask & truth).sum() / (mask | truth).sum())
    assert np.mean(overlaps) > 0.85


def test_what_is_cut_out_already_is_refused(running: Running, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="transparent around something"):
        running.run(running.backend.mask(order_of(tmp_path), lambda *_: None))
