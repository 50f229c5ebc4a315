"""Damaged datasets give a clean error or valid views, and never anything else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nvs.errors import NvsError
from nvs.scene import PosedViews, load_views

Make = Callable[[str, Path], Path]

JSON_LAYOUTS = [
    *("opencv", "opencv_object", "nerfstudio", "blender", "dl3dv"),
    *("polycam", "record3d"),
]
TEXT_LAYOUTS = ["colmap_text", "realestate10k"]
ODD_VALUES = [
    *(None, True, False, 0, -1, 0.5, 1e-320, 1e9, -1e300, 10**400, 2**63),
    *(float("nan"), float("inf"), "", "1", "..", "a\0b", "x" * 5000, "/etc/passwd"),
    *([], {}, [[]], [[0] * 4] * 4, [[1e200] * 4] * 4, [["1"] * 4] * 4, {"a": [None]}),
]
ODD_KEYS = [
    *("k1", "k4", "p2", "is_fisheye", "camera_model", "applied_transform", "fl_x"),
    *("camera_angle_y", "cx", "h", "frames", "mask_path", "train_filenames"),
    *("test_filenames", "distortion_params", "applied_scale", "latlong", "x_fov"),
    *("color_space", "file_path", "poses", "perFrameIntrinsicCoeffs"),
]
ODD_TOKENS = [
    *("", "0", "-1", "nan", "inf", "1e400", "9" * 400, "x", "#", "../a.png", "\0", "é"),
    *("4294967296", "PINHOLE", "FULL_OPENCV", "EQUIRECTANGULAR"),
]

fuzz = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Pillow warns of odd headers of images that it goes on to decode or refuse.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def folder(layout: str, make_layout: Make, tmp_path: Path) -> Path:
    return make_layout(layout, tmp_path / "set")


def _load(folder: Path) -> None:
    said = ""
    try:
        views = load_views(folder, patch_size=4, size=12)
    except NvsError as error:
        said = error.detail + error.remedy
    else:
        assert isinstance(views, PosedViews)
        assert max(views.image.shape[2:]) == 12
    assert str(folder) not in said, "paths are subjects"


@contextmanager
def _replaced(file: Path, content: bytes) -> Iterator[None]:
    original = file.read_bytes()
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(original)


@fuzz
@given(data=st.data())
def test_changed_bytes(data: st.DataObject, folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    places = st.integers(0, len(content) - 1) | st.integers(
        0, min(80, len(content) - 1)
    )
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(places)] = data.draw(st.integers(0, 255))
    with _replaced(file, bytes(content)):
        _load(folder)


@fuzz
@given(data=st.data())
def test_truncated_files(data: st.DataObject, folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from(files))
    content = file.read_bytes()
    with _replaced(file, content[: data.draw(st.integers(0, len(content)))]):
        _load(folder)


@fuzz
@given(data=st.data())
@pytest.mark.parametrize("layout", JSON_LAYOUTS)
def test_changed_json_values(data: st.DataObject, folder: Path) -> None:
    file = _metadata(folder, ".json")
    content = copy.deepcopy(json.loads(file.read_text()))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list(_places(content))))
        value = data.draw(st.sampled_from(ODD_VALUES))
        if isinstance(holder, dict) and data.draw(st.booleans()):
            key = data.draw(st.sampled_from(ODD_KEYS))
        holder[key] = copy.deepcopy(value)
    with _replaced(file, json.dumps(content).encode()):
        _load(folder)


@fuzz
@given(data=st.data())
@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
def test_changed_text_tokens(data: st.DataObject, folder: Path) -> None:
    file = _metadata(folder, ".txt")
    if file.parent.name == "0":
        file = data.draw(st.sampled_from([file.with_stem("cameras"), file]))
    lines = [line.split(" ") for line in file.read_text().split("\n")]
    for _ in range(data.draw(st.integers(1, 3))):
        line = data.draw(st.sampled_from(lines))
        index = data.draw(st.integers(0, len(line) - 1))
        line[index] = data.draw(st.sampled_from(ODD_TOKENS))
    text = "\n".join(" ".join(line) for line in lines)
    with _replaced(file, text.encode()):
        _load(folder)


def _metadata(folder: Path, suffix: str) -> Path:
    """The file that is read when the folder is."""
    files = sorted(folder.rglob(f"*{suffix}"))
    preferred = [f for f in files if f.stem in ("images", "transforms_train")]
    return (preferred or files)[0]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])
