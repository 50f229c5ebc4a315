"""Cameras that no camera can be, in requests, in camera files and in streams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.server.hostile.target import LOOK_AT, RENDER, Target
from tests.server.hostile.test_archives import CAMERA, CAMERAS
from tests.server.hostile.test_pictures import picture

EYE = [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, -2.5], [0, 0, 0, 1.0]]
PINHOLE = {"fx": 20, "fy": 20, "cx": 8, "cy": 8}
Matrix = list[list[Any]]


def with_value(row: int, column: int, value: Any) -> Matrix:
    rows: Matrix = [list(one) for one in EYE]
    rows[row][column] = value
    return rows


def scaled(*factors: float) -> Matrix:
    return [[v * f for v, f in zip(row, (*factors, 1), strict=True)] for row in EYE]


MATRICES: dict[str, tuple[Any, str]] = {
    "zero": ([[0.0] * 4] * 4, "last row"),
    "singular": (with_value(0, 0, 0), "orthonormal"),
    "reflected": (scaled(-1, 1, 1), "left-handed"),
    "scaled": (scaled(2, 2, 2), "orthonormal"),
    "sheared": (with_value(0, 1, 0.5), "orthonormal"),
    "far": (with_value(0, 3, 1e39), "±3.4"),
    "overflow": (with_value(0, 0, 1e308), "orthonormal"),
    "transposed": ([list(row) for row in zip(*EYE, strict=True)], "last row"),
    "3x4": (EYE[:3], "4 items"),
    "4x3": ([row[:3] for row in EYE], "4 items"),
    "5x4": ([*EYE, EYE[3]], "4 items"),
    "flat": ([v for row in EYE for v in row], "list"),
    "empty": ([], "4 items"),
    "text": (with_value(0, 0, "1"), "number"),
    "null": (with_value(0, 0, None), "number"),
    "truth": (with_value(0, 0, True), "number"),
    "nested": (with_value(0, 0, [1]), "number"),
    "object": ({}, "list"),
}


@pytest.mark.parametrize("name", MATRICES)
def test_matrices(target: Target, name: str) -> None:
    matrix, words = MATRICES[name]
    for lens in (PINHOLE, {"vertical_fov_degrees": 50}):
        camera = {"world_from_camera": matrix} | lens
        told = target.refused(target.render(camera=camera), 422, "invalid", words)
        assert told["errors"][0]["field"].startswith("camera.world_from_camera")
        assert told["errors"][0]["remedy"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["world_from_camera", "fx", "eye", "height"])
def test_not_finite(target: Target, field: str, value: str) -> None:
    """JSON as Python writes it, and numbers that overflow."""
    moved = with_value(0, 3, 0.123)
    poses: dict[str, Any] = {
        "fx": {"world_from_camera": EYE, **PINHOLE, "fx": 0.123},
        "world_from_camera": {"world_from_camera": moved, **PINHOLE},
        "eye": LOOK_AT | {"eye": [0.123, 0, 0]},
    }
    body = RENDER | {"camera": poses.get(field, LOOK_AT)}
    if field == "height":
        body |= {"height": 0.123}
    response = target.call(
        "POST",
        f"/v1/scenes/{target.scene_id}/render",
        content=json.dumps(body).replace("0.123", value),
        headers={"Content-Type": "application/json"},
    )
    target.refused(response, 422, "invalid", field)


LENSES: dict[str, tuple[dict[str, Any], str]] = {
    "no focal length": (PINHOLE | {"fx": 0}, "fx"),
    "negative": (PINHOLE | {"fy": -20}, "fy"),
    "tiny": (PINHOLE | {"fx": 1e-300}, "fx"),
    "huge": (PINHOLE | {"fy": 1e300}, "fy"),
    "centre": (PINHOLE | {"cx": 1e39}, "cx"),
    "missing": ({"fx": 20, "fy": 20, "cx": 8}, "cy"),
    "both": (PINHOLE | {"vertical_fov_degrees": 50}, "fx"),
    "wide": ({"vertical_fov_degrees": 180}, "vertical_fov_degrees"),
    "narrow": ({"vertical_fov_degrees": 0}, "vertical_fov_degrees"),
    "unknown": (PINHOLE | {"k1": 0.1}, "k1"),
}


@pytest.mark.parametrize("name", LENSES)
def test_lenses(target: Target, name: str) -> None:
    lens, field = LENSES[name]
    camera = {"world_from_camera": EYE} | lens
    told = target.refused(target.render(camera=camera), 422, "invalid")
    assert f"camera.{field}" in [one["field"] for one in told["errors"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eye": [0, 0, 0]}, "same point"),
        ({"eye": [0, 0, 3]}, "up axis"),
        ({"up": [0, 0, 0]}, "no length"),
        ({"up": [1e308, 1e308, 1e308]}, ""),
        ({"eye": [1e39, 0, 0]}, "±3.4"),
        ({"target": [0, 0]}, "3 items"),
        ({"eye": "here"}, "list"),
    ],
)
def test_look_at(target: Target, changes: dict[str, Any], words: str) -> None:
    response = target.render(camera=LOOK_AT | changes)
    if not words:
        assert response.status_code == 200
        return
    target.refused(response, 422, "invalid", "camera", words)


@pytest.mark.parametrize("far", [1e4, 1e9, 1e20, 1e38])
@pytest.mark.parametrize("format", ["png", "float32"])
def test_a_camera_may_be_anywhere_that_float32_reaches(
    target: Target, far: float, format: str
) -> None:
    for camera in (
        LOOK_AT | {"eye": [far, 0, 0]},
        {"world_from_camera": with_value(1, 3, -far)} | PINHOLE,
        {"world_from_camera": EYE} | PINHOLE | {"fx": 1 / far, "cx": far},
    ):
        response = target.render(camera=camera, format=format)
        assert response.status_code == 200, response.text


@pytest.mark.parametrize("camera", [None, [], 1, "eye", {}, [LOOK_AT]])
def test_no_camera(target: Target, camera: Any) -> None:
    target.refused(target.render(camera=camera), 422, "invalid", "camera")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("height", 17, "multiple"),
        ("width", 8, "16"),
        ("height", 0, "16"),
        ("height", -16, "16"),
        ("width", 4096, "2048"),
        ("height", 10**30, "height"),
        ("width", 16.0, "integer"),
        ("width", "16", "integer"),
        ("height", True, "integer"),
        ("format", "gif", "format"),
        ("format", None, "format"),
        ("quality", 0, "quality"),
        ("quality", 101, "quality"),
        ("background", "red", "background"),
        ("background", "#12345", "background"),
        ("background", "transparent\n", "background"),
    ],
)
def test_sizes_and_options(target: Target, field: str, value: Any, words: str) -> None:
    response = target.render(**{field: value})
    told = target.refused(response, 422, "invalid", words)
    assert told["errors"][0]["field"] == field


def test_too_many_pixels(target: Target) -> None:
    response = target.render(height=512, width=512)
    target.refused(response, 422, "invalid", "height", "smaller")


@pytest.mark.parametrize("cameras", [[], [LOOK_AT] * 65, [LOOK_AT] * 5000])
def test_batches(target: Target, cameras: list[Any]) -> None:
    path = f"/v1/scenes/{target.scene_id}/renders"
    body = {"cameras": cameras, "height": 16, "width": 16}
    target.refused(target.call("POST", path, json=body), 422, "invalid", "cameras")


@pytest.mark.parametrize(
    ("trajectory", "words"),
    [
        ({"kind": "orbit", "num_frames": 10**9}, "at most 4"),
        ({"kind": "orbit", "num_frames": 0}, "num_frames"),
        ({"kind": "\ud800"}, "kind"),
        ({"kind": ["orbit"]}, "kind"),
        ({"camera_path": {"frames": []}}, "camera_path"),
        ({"camera_path": {"\ud800": 1}}, "camera path"),
        ({"camera_path": {"camera_path": {}}}, "camera_path"),
        ({}, "kind"),
        (None, "trajectory"),
    ],
)
def test_trajectories(target: Target, trajectory: Any, words: str) -> None:
    path = f"/v1/scenes/{target.scene_id}/videos"
    body = json.dumps({"trajectory": trajectory, "height": 16, "width": 16})
    headers = {"Content-Type": "application/json"}
    response = target.call("POST", path, content=body, headers=headers)
    target.refused(response, 422, "invalid", words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"views": {"count": 10**9}}, "views.count"),
        ({"views": {"indices": [0] * 4097}}, "views.indices"),
        ({"views": {"indices": [-1]}}, "views.indices"),
        ({"views": {"indices": [0, 0]}}, "more than once"),
        ({"views": []}, "views"),
        ({"size": 10**9}, "size"),
        ({"size": [16]}, "size"),
        ({"size": [16, 10**9]}, "size.1"),
        ({"weights": "../../etc/passwd"}, "weights"),
        ({"weights": "a" * 101}, "weights"),
        ({"weights": "none"}, "lact_small"),
        ({"framing": "none\0"}, "framing"),
    ],
)
def test_builds(target: Target, body: dict[str, Any], words: str) -> None:
    path = f"/v1/scenes/{target.scene_id}/build"
    target.refused(target.call("POST", path, json=body), 422, "invalid", words)


def frame(**changes: Any) -> bytes:
    return json.dumps([CAMERA | changes]).encode()


CAMERA_FILES: dict[str, tuple[bytes, int, str, str]] = {
    "not json": (b"{", 400, "malformed", "json"),
    "deep": (b"[" * 100_000, 400, "malformed", "json"),
    "deep within": (
        CAMERAS[:-2] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
        *(400, "malformed", "json"),
    ),
    "latin-1": (b'"\xe9"', 400, "malformed", "json"),
    "long number": (b"9" * 10_000, 400, "malformed", "json"),
    "nothing": (b"[]", 422, "invalid", "no known form"),
    "null": (b"null", 422, "invalid", "no known form"),
    "texts": (b'["a"]', 422, "invalid", "no known form"),
    "unknown": (b'[{"a": 1}]', 422, "invalid", "no known form"),
    "nan": (frame(fx=float("nan")), 422, "invalid", "nan"),
    "infinity": (frame(w2c=[[float("inf")] * 4] * 4), 422, "invalid", "infinity"),
    "overflow": (frame(fx=0.123).replace(b"0.123", b"1e999"), 422, "invalid", "1e999"),
    "no matrix": (frame(w2c=None), 422, "invalid", "w2c"),
    "3x4": (frame(w2c=EYE[:3]), 422, "invalid", "w2c"),
    "text in matrix": (frame(w2c=with_value(0, 0, "x")), 422, "invalid", "w2c"),
    "huge number": (frame(w2c=with_value(0, 0, 10**400)), 422, "invalid", "w2c"),
    "no size": (frame(w=0), 422, "invalid", "w"),
    "no name": (frame(file_path=None), 422, "invalid", "file_path"),
    "name is a list": (frame(file_path=["a"]), 422, "invalid", "file_path"),
    "nul in name": (frame(file_path="a\0.png"), 422, "invalid", "a"),
}


@pytest.mark.parametrize("name", CAMERA_FILES)
def test_camera_files(target: Target, name: str) -> None:
    body, status, slug, words = CAMERA_FILES[name]
    response = target.put("cameras", body, "application/json")
    target.refused(response, status, slug, words)


@pytest.mark.parametrize(
    "path",
    [
        *("../../../etc/passwd", "/etc/passwd", "a/../../0.png", "file:///etc/passwd"),
        *("C:\\0.png", "\ud800.png", "a" * 5000, "~/0.png", "%2e%2e/0.png", "|id"),
    ],
)
def test_frames_name_only_what_was_uploaded(target: Target, path: str) -> None:
    """Whatever a frame names, nothing of this machine is read: it is missing."""
    response = target.put("cameras", frame(file_path=path), "application/json")
    if response.status_code == 200:
        assert response.json()["num_missing"] == 1
    else:
        target.refused(response, 422, "invalid")
    assert "root:" not in response.text


def test_bad_cameras_that_only_a_build_sees(target: Target) -> None:
    """Poses of uploaded files are checked with the pictures; the job says so."""
    assert target.put("images/a.png", picture(), "image/png").status_code in (200, 201)
    mirrored = frame(w2c=scaled(-1, 1, 1))
    response = target.put("cameras", mirrored, "application/json")
    if response.status_code != 200:
        target.refused(response, 422, "invalid", "left-handed")
        return
    path = f"/v1/scenes/{target.scratch_id}"
    found = target.call("GET", f"{path}/validation")
    assert found.status_code in (200, 422), found.text
    assert "reflect" in found.text or "handed" in found.text, found.text


def test_streams_refuse_each_message(target: Target) -> None:
    """A bad message is answered by a problem; the stream goes on."""
    url = target.served.base_url.replace("http", "ws")
    headers = {"Authorization": f"Bearer {target.secrets['owner']}"}
    where = f"{url}/v1/scenes/{target.scene_id}/stream"
    pose = {"sequence": 1, "camera": LOOK_AT, "height": 16, "width": 16}
    bad: list[tuple[str | bytes, str]] = [
        ("", "malformed"),
        ("{", "malformed"),
        (b"\0\1", "malformed"),
        ("[" * 100_000, "malformed"),
        ("9" * 10_000, "malformed"),
        ("null", "invalid"),
        ("[]", "invalid"),
        ('{"\\ud800": 1}', "invalid"),
        ('{"type": "\\ud800"}', "invalid"),
        (json.dumps(pose | {"sequence": -1}), "invalid"),
        (json.dumps(pose | {"sequence": 10**30}), "invalid"),
        (json.dumps(pose | {"height": 17}), "invalid"),
        (json.dumps(pose | {"camera": {"world_from_camera": []}}), "invalid"),
        (json.dumps(pose).replace("2.5", "NaN"), "invalid"),
    ]
    with connect(where, additional_headers=headers) as stream:
        assert json.loads(stream.recv(30))["type"] == "ready"
        for message, slug in bad:
            stream.send(message)
            answer = stream.recv(30)
            assert isinstance(answer, str), message
            told = json.loads(answer)
            assert told["type"] == "problem", message[:80]
            assert told["problem"]["type"].endswith(slug), (message[:80], told)
            assert told["problem"]["remedy"]
            assert len(answer) < 32 * 1024
        stream.send(json.dumps(pose))
        assert isinstance(stream.recv(60), bytes)
