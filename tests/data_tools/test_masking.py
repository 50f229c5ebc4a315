"""Masks: the thing is cut out as its true silhouettes say, or why not is said."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from nvs.assets import SAMPLE
from nvs.cameras import Camera
from nvs.cameras.se3 import so3_exp
from nvs.errors import CameraError, ConfigError, DatasetError
from nvs.file_kinds import mask_name
from nvs.scene.datasets import read_dataset
from nvs.scene.frames import Dataset
from nvs.scene.opencv_layout import frame_entry
from nvs_data import masking, segmenters
from nvs_data.masking import CutView, find_masks, write_masks
from tests.photographs import sample_photographs


class Capture(NamedTuple):
    """Photographs of the sample in a room, with true cameras and silhouettes."""

    folder: Path
    truth: list[np.ndarray]
    cuts: list[CutView]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    folder = tmp_path_factory.mktemp("capture")
    (folder / "images").mkdir()
    frames, truth = [], []
    for view, (camera, image, silhouette) in enumerate(sample_photographs()):
        if view % 2:
            continue
        name = f"images/{view:02}.png"
        Image.fromarray(image).save(folder / name)
        world = torch.linalg.inv(camera.world_from_camera[0].double())
        frames.append(frame_entry(name, camera, world))
        truth.append(silhouette)
    (folder / "opencv_cameras.json").write_text(json.dumps(frames))
    return Capture(folder, truth, find_masks(read_dataset(folder)))


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / (mask | truth).sum())


def test_silhouettes_are_found(capture: Capture) -> None:
    pairs = zip(capture.cuts, capture.truth, strict=True)
    overlaps = [overlap(cut.full() > 0, truth) for cut, truth in pairs]
    assert np.mean(overlaps) > 0.9
    assert min(overlaps) > 0.75
    assert not list(masking.doubtful(capture.cuts))


def test_written_masks_are_those_of_the_readers(capture: Capture) -> None:
    written = write_masks(capture.cuts, capture.folder, without={1})
    try:
        assert written[0] == capture.folder / "masks/00.png.png"
        first, second = read_dataset(capture.folder).frames[:2]
        assert np.array_equal(first.pixels()[..., 3], capture.cuts[0].full())
        assert second.pixels().shape[-1] == 3
        with pytest.raises(DatasetError, match=r"00\.png has a mask already.*by force"):
            masking.check_unmasked(read_dataset(capture.folder), capture.folder)
        again = read_dataset(capture.folder).frames[0]
        cut = replace(capture.cuts[0], original=again.original)
        write_masks([cut], capture.folder, without={0})  # takes it away again
        assert read_dataset(capture.folder).frames[0].original.mask is None
    finally:
        for file in written:
            file.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/a.jpg", "masks/a.jpg.png"),
        ("images/b/a.jpg", "masks/b/a.jpg.png"),
        ("train/a.png", "masks/train/a.png.png"),
        ("a.png", "masks/a.png.png"),
    ],
)
def test_names_of_masks(image: str, mask: str) -> None:
    assert mask_name(image) == mask


def test_what_is_transparent_needs_no_masks() -> None:
    with pytest.raises(DatasetError, match="transparent around something already"):
        masking.check_unmasked(read_dataset(SAMPLE), SAMPLE)


def turned(dataset: Dataset, degrees: float) -> Dataset:
    """Every camera turned about its y axis."""
    angle = torch.tensor([0.0, math.radians(degrees), 0.0], dtype=torch.float64)

    def other(camera: Camera) -> Camera:
        pose = camera.world_from_camera.double().clone()
        pose[:, :3, :3] = pose[:, :3, :3] @ so3_exp(angle)
        return replace(camera, world_from_camera=pose)

    return replace(
        dataset,
        frames=tuple(replace(f, camera=other(f.camera)) for f in dataset.frames),
    )


def test_cameras_that_look_at_no_thing_are_refused(capture: Capture) -> None:
    dataset = read_dataset(capture.folder)
    with pytest.raises(CameraError, match="looks outwards"):
        find_masks(turned(dataset, 180))
    with pytest.raises(CameraError, match="only 0 of 12 views show the point"):
        find_masks(turned(dataset, 70))


def test_views_that_agree_on_nothing_are_refused(capture: Capture) -> None:
    nothing = lambda image, seeds, round: seeds > 99  # noqa: E731
    with pytest.raises(DatasetError, match="do not agree on a thing"):
        find_masks(read_dataset(capture.folder), nothing)


def test_what_does_not_move_is_background(capture: Capture, tmp_path: Path) -> None:
    """Before a plain backdrop with a stain beside the thing, as of a turntable."""
    frames = []
    for view, frame in enumerate(read_dataset(capture.folder).frames):
        image = np.full((256, 256, 3), 120, np.uint8)
        cv2.circle(image, (60, 200), 25, (150, 80, 60), -1)
        image[capture.truth[view]] = frame.pixels()[capture.truth[view]]
        file = tmp_path / f"{view}.png"
        Image.fromarray(image).save(file)
        frames.append(replace(frame, original=replace(frame.original, file=file)))
    for cut, truth in zip(
        find_masks(Dataset(frames=tuple(frames))), capture.truth, strict=True
    ):
        stain = cut.full()[190:210, 50:70] > 0
        assert not (stain & ~truth[190:210, 50:70]).any()


def test_rembg_is_asked_where_it_is_there(
    capture: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "rembg", None)
    with pytest.raises(ConfigError, match="needs the package rembg"):
        segmenters.segmenter("rembg")
    truth = iter([*capture.truth, *capture.truth])
    asked = []

    def remove(image: np.ndarray, *, session: str, only_mask: bool) -> Image.Image:
        asked.append((session, only_mask, image.shape))
        return Image.fromarray(np.where(next(truth), 255, 0).astype(np.uint8))

    fake = SimpleNamespace(new_session=lambda name: f"of {name}", remove=remove)
    monkeypatch.setitem(sys.modules, "rembg", fake)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"needs its model at .*u2net\.onnx"):
        segmenters.segmenter("rembg")
    (tmp_path / "u2net.onnx").touch()
    cuts = find_masks(read_dataset(capture.folder), segmenters.segmenter("rembg"))
    assert set(asked) == {("of u2net", True, (256, 256, 3))}
    assert all(
        overlap(cut.mask, truth) > 0.9
        for cut, truth in zip(cuts, capture.truth, strict=True)
    )
