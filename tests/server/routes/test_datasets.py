from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from nvs.errors import DatasetError
from nvs_server.compute.protocol import WorkerLost
from tests.fakes.api import Api, opencv, picture, refused, zip_of
from tests.fakes.backend import EXPECTATION

ZIP = "application/zip"


def cameras_json(*names: str) -> bytes:
    return json.dumps(opencv(*names)).encode()


def dataset(**more: bytes) -> dict[str, bytes]:
    return {
        "chair/opencv_cameras.json": cameras_json("images/a.png", "b.png", "gone.png"),
        "chair/images/a.png": picture(1),
        "chair/images/b.png": picture(2),
        "chair/README.md": b"hello",
        "__MACOSX/chair/._a.png": b"litter",
        "chair/.DS_Store": b"litter",
        "chair/depth/a.exr": b"unused",
    } | more


def test_cameras_are_recognised_by_their_content(api: Api) -> None:
    scene_id = api.make()
    refused(api.call("GET", f"/v1/scenes/{scene_id}/cameras"), 404, "not-found")
    api.put(scene_id, "images/a.png", picture())
    answer = api.put_cameras(scene_id, opencv("a.png", *map(str, range(30))))
    assert answer.status_code == 200
    assert answer.json() == {
        "layout": "opencv",
        "num_frames": 31,
        "num_missing": 30,
        "missing": [str(index) for index in range(20)],
    }
    assert api.scene(scene_id)["has_cameras"]
    transforms = {
        "fl_x": 20,
        "frames": [{"file_path": "a.png", "transform_matrix": []}],
    }
    assert api.put_cameras(scene_id, transforms).json()["layout"] == "nerfstudio"
    kept = [file.path for file in api.state.scenes.files(scene_id, "cameras")]
    assert kept == ["transforms.json"]
    named = {"scene_name": "chair", "frames": opencv("a.png")}
    assert api.put_cameras(scene_id, named).json()["layout"] == "opencv"


def test_the_report_follows_the_images(api: Api) -> None:
    scene_id = api.make()
    path = f"/v1/scenes/{scene_id}/cameras"
    assert api.put_cameras(scene_id, opencv("x/a.png")).json()["num_missing"] == 1
    api.put(scene_id, "images/a.png", picture())
    report = api.call("GET", path).json()
    assert (report["num_missing"], report["num_frames"]) == (0, 1)
    api.put(scene_id, "images/y/a.png", picture(1))
    assert api.call("GET", path).json()["missing"] == ["x/a.png"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "slug", "text"),
    [
        (b"[", "application/json", 400, "malformed", "is not valid JSON: Expecting"),
        (b"[" * 100_000, "application/json", 400, "malformed", "is not valid JSON"),
        (b"\xff", "application/json", 400, "malformed", "is not valid JSON"),
        (
            b'[{"w2c": [NaN]}]',
            "application/json",
            422,
            "invalid",
            "the camera file holds NaN",
        ),
        (b"[]", "application/json", 422, "invalid", "the cameras are in no known form"),
        (b"3", "application/json", 422, "invalid", "the cameras are in no known form"),
        (
            b'{"frames": {"w2c": 1}}',
            "application/json",
            422,
            "invalid",
            "the cameras are in no known form",
        ),
        (
            json.dumps(opencv("a.png", broken=1)).encode(),
            "application/json",
            422,
            "invalid",
            "opencv_cameras.json: frame 0: the pose is broken",
        ),
        (b"[]", "text/plain", 415, "media-type", "Content-Type is 'text/plain'."),
        (b"PK", ZIP, 422, "invalid", "the zip file is damaged"),
        (
            zip_of({"a.png": picture()}),
            ZIP,
            422,
            "invalid",
            "the zip file has no camera files",
        ),
        (
            zip_of({"../cameras.txt": b"x"}),
            ZIP,
            422,
            "invalid",
            "has a part that is empty, `.` or `..`",
        ),
        (
            zip_of({"notes.txt": b"x"}),
            ZIP,
            422,
            "invalid",
            "the dataset: in no known dataset layout",
        ),
    ],
)
def test_refuses_cameras(
    api: Api, content: bytes, kind: str, status: int, slug: str, text: str
) -> None:
    scene_id = api.make()
    answer = api.put(scene_id, "cameras", content, kind)
    assert text in refused(answer, status, slug)["detail"]
    assert not api.scene(scene_id)["has_cameras"]
    assert list(api.state.blobs.incoming().iterdir()) == []
    assert list(api.state.blobs.iterate()) == []


def test_cameras_of_any_layout_come_as_a_zip(api: Api) -> None:
    scene_id = api.make()
    api.put(scene_id, "images/a.png", picture())
    model = {
        "sparse/0/cameras.txt": b"1",
        "sparse/0/images.txt": b"2",
        "sparse/0/points3D.txt": b"3",
    }
    answer = api.put(scene_id, "cameras", zip_of(model), ZIP)
    assert answer.json()["layout"] == "colmap"
    kept = [file.path for file in api.state.scenes.files(scene_id, "cameras")]
    assert kept == ["sparse/0/cameras.txt", "sparse/0/images.txt"]


def test_a_camera_file_may_not_replace_an_image(api: Api) -> None:
    scene_id = api.make()
    api.put(scene_id, "images/transforms.json", picture())
    content = {"frames": [{"file_path": "a", "transform_matrix": []}]}
    document = refused(api.put_cameras(scene_id, content), 422, "invalid")
    assert "'transforms.json' is the name of an uploaded image" in document["detail"]
    api.call("DELETE", f"/v1/scenes/{scene_id}/images/transforms.json")
    assert api.put_cameras(scene_id, content).is_success
    document = refused(
        api.put(scene_id, "images/transforms.json", picture()), 422, "invalid"
    )
    assert "'transforms.json' is no image" in document["detail"]


def test_a_dataset_in_one_file(api: Api) -> None:
    scene_id = api.make()
    api.put(scene_id, "images/old.png", picture())
    answer = api.put(scene_id, "dataset", zip_of(dataset()), ZIP)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "layout": "opencv",
        "num_frames": 3,
        "num_missing": 1,
        "missing": ["gone.png"],
        "num_images": 2,
    }
    images = api.call("GET", f"/v1/scenes/{scene_id}/images").json()["items"]
    assert [image["name"] for image in images] == ["images/a.png", "images/b.png"]
    assert (images[0]["height"], images[0]["width"]) == (16, 16)
    got = api.call("GET", f"/v1/scenes/{scene_id}/images/images/b.png")
    assert got.content == picture(2)


@pytest.mark.parametrize(
    ("files", "text"),
    [
        (
            dataset(**{"chair/bad.png": b"GIF89a"}),
            "bad.png: not a PNG, JPEG",
        ),
        ({"opencv_cameras.json": cameras_json("a.png")}, "the zip file has no images"),
        ({"a.png": picture()}, "the dataset: in no known dataset layout"),
        ({"/a.png": picture()}, "'/a.png' is an absolute path"),
        (
            {f"{index}.png": picture() for index in range(5)},
            "the dataset has 5 images, over the limit of 4",
        ),
    ],
)
def test_refuses_datasets(
    start: Callable[..., Api], files: dict[str, bytes], text: str
) -> None:
    api = start(max_images=4)
    scene_id = api.uploaded()
    before = api.scene(scene_id)
    blobs = {blob.sha256 for blob in api.state.blobs.iterate()}
    answer = api.put(scene_id, "dataset", zip_of(files), ZIP)
    assert text in refused(answer, 422, "invalid")["detail"]
    assert api.scene(scene_id) == before
    assert {blob.sha256 for blob in api.state.blobs.iterate()} == blobs
    assert list(api.state.blobs.incoming().iterdir()) == []


def test_a_dataset_over_the_quota(start: Callable[..., Api]) -> None:
    api = start(quota_bytes=900)
    scene_id = api.make()
    answer = api.put(scene_id, "dataset", zip_of(dataset()), ZIP)
    refused(answer, 403, "quota-exceeded")


def test_a_dataset_in_another_type(api: Api) -> None:
    answer = api.put(api.make(), "dataset", b"x", "application/json")
    assert "Send application/zip." in refused(answer, 415, "media-type")["remedy"]


def test_a_worker_that_dies_meanwhile(api: Api) -> None:
    scene_id = api.make()
    lost = WorkerLost("the inspector stopped", remedy="Try again.")
    api.backend.errors["inspect_image"].append(lost)
    answer = api.put(scene_id, "images/a.png", picture())
    refused(answer, 503, "worker-lost")
    assert int(answer.headers["retry-after"]) >= 1
    assert api.put(scene_id, "images/a.png", picture()).status_code == 201


def test_validation(api: Api) -> None:
    scene_id = api.make()
    path = f"/v1/scenes/{scene_id}/validation"
    document = refused(api.call("GET", path), 409, "inputs-missing")
    assert document["detail"] == "The scene has no images and no cameras."
    assert document["remedy"] == f"PUT /v1/scenes/{scene_id}/images/{{name}} first."
    api.put(scene_id, "images/a.png", picture())
    document = refused(api.call("GET", path), 409, "inputs-missing")
    assert document["detail"] == "The scene has 1 images and no cameras."
    assert document["remedy"] == (
        f"PUT /v1/scenes/{scene_id}/cameras first, or POST /v1/scenes/{scene_id}/pose."
    )
    api.put_cameras(scene_id, opencv("a.png"))
    report: Any = api.call("GET", path).json()
    assert report["verdict"] == "warning"
    (finding,) = report["findings"]
    assert finding["detail"] == "a.png is blurred for fake"
    assert report["expectation"] == EXPECTATION.model_dump(mode="json")
    unknown = api.call("GET", path, params={"weights": "other"})
    assert refused(unknown, 422, "invalid")["errors"][0]["field"] == "weights"
    assert finding["views"] == ["a.png"]
    error = DatasetError("no two views agree", remedy="Look at them.")
    api.backend.errors["validate"].append(error)
    document = refused(api.call("GET", path), 422, "invalid")
    assert document["detail"] == "no two views agree"
    assert document["remedy"] == "Look at them."
