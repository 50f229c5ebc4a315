"""Posed sets as data: which views are drawn, and what happens to their cameras."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from nvs.errors import DatasetError
from nvs.train.batch import Order
from nvs.train.sets import SetSource, draw_views, list_sets, read_batch
from nvs.train.sources import load

WriteSet = Callable[..., Path]
ORDER = Order(seed=3, num_scenes=2, num_inputs=3, num_targets=2, height=16, width=16)
CPU = torch.device("cpu")


def test_an_order_is_filled_the_same_every_time(posed_set: WriteSet) -> None:
    posed_set(name="sets/a")
    folder = posed_set(name="sets/b").parent
    first = load(SetSource(folder, framing="none"), ORDER, CPU)
    again = load(SetSource(folder, framing="none"), ORDER, CPU)
    other = load(SetSource(folder, framing="none"), replace(ORDER, seed=4), CPU)
    assert first.image.shape == (2, 5, 3, 16, 16)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.world_from_camera, again.world_from_camera)
    assert not torch.equal(first.world_from_camera, other.world_from_camera)


def test_a_narrow_baseline_keeps_views_together() -> None:
    center = torch.linspace(0, 99, 100)[:, None].expand(-1, 3)
    for seed in range(30):
        near = draw_views(center, 5, 0.1, random.Random(seed))
        assert len(set(near)) == 5
        assert max(near) - min(near) <= 10
    wide = [
        max(views) - min(views)
        for seed in range(30)
        for views in [draw_views(center, 5, 1.0, random.Random(seed))]
    ]
    assert max(wide) > 80


def test_field_of_view_crops_pixels_and_cameras_alike(posed_set: WriteSet) -> None:
    folder = posed_set(size=64)
    options = {"num_inputs": 1, "height": 16, "width": 16, "framing": "none"}
    full = read_batch(folder, [2], **options)
    half = read_batch(folder, [2], field_of_view=0.5, **options)
    torch.testing.assert_close(
        half.intrinsics[..., :2], 2 * full.intrinsics[..., :2], rtol=1e-6, atol=0
    )
    torch.testing.assert_close(half.intrinsics[..., 2:], full.intrinsics[..., 2:])


def test_targets_have_no_say_in_the_framing(posed_set: WriteSet) -> None:
    folder = posed_set(num_views=12)
    options = {"num_inputs": 3, "height": 16, "width": 16, "framing": "mean_camera"}
    some = read_batch(folder, [0, 1, 2, 6, 7], **options)
    others = read_batch(folder, [0, 1, 2, 9, 4], **options)
    torch.testing.assert_close(
        some.world_from_camera[:, :3], others.world_from_camera[:, :3]
    )
    assert some.world_from_camera[:, :3, :3, 3].abs().max() == pytest.approx(1)


def test_too_few_views_are_explained(posed_set: WriteSet) -> None:
    source = SetSource(posed_set(num_views=4), framing="none")
    source.check(3, 1)
    with pytest.raises(DatasetError, match="has 4 views; 5 are needed"):
        source.check(3, 2)


def test_sets_are_listed_by_folder_or_by_file(
    posed_set: WriteSet, tmp_path: Path
) -> None:
    first, second = posed_set(name="sets/a"), posed_set(name="sets/b")
    assert list_sets(tmp_path / "sets") == [first, second]
    assert list_sets(first) == [first]
    (second / "opencv_cameras.json").rename(tmp_path / "elsewhere.json")
    assert list_sets(tmp_path / "sets") == [first]
    (tmp_path / "elsewhere.json").rename(second / "opencv_cameras.json")
    listing = tmp_path / "train.txt"
    listing.write_text("sets/b\n\nsets/a\n")
    assert list_sets(listing) == [second, first]
    listing.write_text("sets/c\n")
    with pytest.raises(DatasetError, match=r"train.txt lists .*sets/c, which is in no"):
        list_sets(listing)


def test_sets_in_other_layouts_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "sets" / "scene"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(folder / "images" / "a.png")
    pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]
    frame = {"file_path": "images/a.png", "transform_matrix": pose}
    lens = {"w": 16, "h": 16, "fl_x": 16, "fl_y": 16, "cx": 8, "cy": 8}
    (folder / "transforms.json").write_text(json.dumps(lens | {"frames": [frame]}))
    assert list_sets(tmp_path / "sets") == [folder]
