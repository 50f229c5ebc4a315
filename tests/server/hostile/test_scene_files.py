"""Scene files that are cut, altered, or from other weights."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from nvs.scene import Scene
from tests.server.hostile.target import Target

BINARY = "application/octet-stream"
Header = dict[str, Any]


@pytest.fixture(scope="module")
def whole(target: Target) -> bytes:
    return target.call("GET", f"/v1/scenes/{target.scene_id}/file").content


def put(target: Target, data: bytes) -> httpx.Response:
    return target.put("file", data, BINARY)


def rewritten(data: bytes, change: Callable[[Header], None]) -> bytes:
    """With another header: names, shapes, offsets and metadata of its tensors."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def first_tensor(header: Header) -> Header:
    return next(one for name, one in header.items() if name != "__metadata__")


def larger(header: Header) -> None:
    first_tensor(header)["shape"] = [2**40, 2**40]


def beyond(header: Header) -> None:
    first_tensor(header)["data_offsets"] = [0, 2**62]


def overlapping(header: Header) -> None:
    for name, one in header.items():
        if name != "__metadata__":
            one["data_offsets"] = first_tensor(header)["data_offsets"]


def other_type(header: Header) -> None:
    first_tensor(header)["dtype"] = "I8"


def without_metadata(header: Header) -> None:
    header.pop("__metadata__")


def odd_metadata(header: Header) -> None:
    for name in header["__metadata__"]:
        header["__metadata__"][name] = "[" * 10_000


CHANGES = {
    "shape": larger,
    "offsets": beyond,
    "overlap": overlapping,
    "type": other_type,
    "no metadata": without_metadata,
    "metadata": odd_metadata,
}


def test_as_it_was(target: Target, whole: bytes) -> None:
    assert put(target, whole).status_code == 200


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.9, 0.99999])
def test_truncated(target: Target, whole: bytes, share: float) -> None:
    cut = whole[: max(1, int(share * len(whole)))]
    target.refused(put(target, cut), 422, "invalid", "scene file")


def test_longer(target: Target, whole: bytes) -> None:
    target.refused(put(target, whole + bytes(100)), 422, "invalid", "scene file")


@pytest.mark.parametrize("name", CHANGES)
def test_other_headers(target: Target, whole: bytes, name: str) -> None:
    data = rewritten(whole, CHANGES[name])
    target.refused(put(target, data), 422, "invalid", "scene")


def test_from_other_weights(target: Target, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.scene"
    path.write_bytes(whole)
    other = replace(Scene.load(path), model_digest="0" * 64, model_id="a" * 5000)
    other.save(path)
    told = target.refused(put(target, path.read_bytes()), 422, "invalid", "not served")
    assert "lact_small" in told["remedy"]


def test_of_numbers_that_are_none(target: Target, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.scene"
    path.write_bytes(whole)
    scene = Scene.load(path)
    weights = tuple(tuple(w * float("nan") for w in one) for one in scene.fast_weights)
    replace(scene, fast_weights=weights).save(path)
    target.refused(put(target, path.read_bytes()), 422, "invalid", "finite")


def test_of_another_shape(target: Target, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.scene"
    path.write_bytes(whole)
    scene = Scene.load(path)
    replace(scene, fast_weights=scene.fast_weights[:1]).save(path)
    target.refused(put(target, path.read_bytes()), 422, "invalid", "do not fit")


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 100_000_000) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 60_000) + b"[" * 60_000,
        b"PK\x03\x04" + bytes(100),
        b"\x80\x04cos\nsystem\n(S'id'\ntR.",
        bytes(10_000),
    ],
)
def test_other_files(target: Target, head: bytes) -> None:
    target.refused(put(target, head), 422, "invalid", "scene")


def test_every_altered_byte_is_noticed(target: Target, whole: bytes) -> None:
    chance = random.Random(0)
    for _ in range(24):
        altered = bytearray(whole)
        altered[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        target.refused(put(target, bytes(altered)), 422, "invalid", "scene")


def test_what_was_refused_did_not_replace(target: Target, whole: bytes) -> None:
    assert put(target, whole).status_code == 200
    put(target, whole[:-1])
    path = f"/v1/scenes/{target.scratch_id}/file"
    assert target.call("GET", path).content == whole
