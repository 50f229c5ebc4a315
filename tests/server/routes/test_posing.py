"""Photographs and videos without cameras: uploaded, posed as a job, built from."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from nvs.api.posing import POSING_EXAMPLE
from nvs.errors import DatasetError
from nvs_server.compute.protocol import WorkerLost
from tests.fakes.api import Api, opencv, picture, refused

STAGES = ["decode", "features", "matching", "mapping", "framing"]
NAMES = ("a.png", "sub/b.png", "masks/c.png", "d.png")


def unposed(api: Api, names: tuple[str, ...] = NAMES) -> str:
    scene_id = api.make()
    for shade, name in enumerate(names):
        assert api.put(scene_id, f"images/{name}", picture(shade)).status_code == 201
    return scene_id


def pose(api: Api, scene_id: str, **options: Any) -> Any:
    return api.call("POST", f"/v1/scenes/{scene_id}/pose", **options)


def test_photographs_get_cameras_and_a_report(api: Api) -> None:
    scene_id = unposed(api)
    answer = pose(api, scene_id, json={"camera_model": "PINHOLE"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"../../../v1/jobs/{job['id']}"
    assert (job["kind"], job["scene_id"]) == ("pose", scene_id)
    changes = api.events(job["id"])
    stages = [change["stage"] for change in changes]
    assert [stage for stage in STAGES if stage in stages] == sorted(
        {stage for stage in stages if stage in STAGES}, key=STAGES.index
    )
    progress = [change["progress"] for change in changes]
    assert progress == sorted(progress)
    report = POSING_EXAMPLE | {"num_photographs": 3, "num_posed": 3}
    assert (changes[-1]["state"], changes[-1]["result"]) == ("succeeded", report)
    (order,) = api.backend.orders
    assert set(order.photographs) == {"a.png", "sub/b.png", "d.png"}  # no mask
    assert set(order.masks) == {"masks/c.png"}
    assert order.request.camera_model == "PINHOLE"
    assert order.request.use_masks
    scene = api.scene(scene_id)
    assert (scene["state"], scene["has_cameras"]) == ("uploading", True)
    assert (scene["posing"], scene["job_id"]) == (report, job["id"])
    assert (scene["job_kind"], scene["num_images"], scene["num_masks"]) == (
        "pose",
        4,
        1,
    )
    build = api.build(scene_id, json={"pose": {}}).json()
    assert build["kind"] == "build"  # there are cameras
    assert "pose" not in build["parameters"]
    assert api.ended(build["id"])["state"] == "succeeded"
    assert (
        pose(api, scene_id, json={"camera_model": "PINHOLE"}).json()["id"]
        == (job["id"])
    )
    refused(api.call("GET", f"/v1/jobs/{job['id']}/result"), 409, "no-result")


def test_cameras_that_are_uploaded_have_no_report(api: Api) -> None:
    scene_id = unposed(api)
    assert api.ended(pose(api, scene_id).json()["id"])["state"] == "succeeded"
    assert api.scene(scene_id)["posing"] is not None
    assert api.put_cameras(scene_id, opencv(*NAMES)).status_code == 200
    assert api.scene(scene_id)["posing"] is None


def test_a_video_is_posed_and_its_frames_are_images(api: Api) -> None:
    scene_id = api.make()
    refused(pose(api, scene_id), 409, "inputs-missing")
    answer = api.put(scene_id, "video", b"a video", "video/quicktime")
    assert (answer.status_code, answer.json()["num_bytes"]) == (200, 7)
    scene = api.scene(scene_id)
    assert (scene["has_video"], scene["state"], scene["num_images"]) == (
        *(True, "uploading"),
        0,
    )
    assert scene["input_bytes"] == 7
    assert api.ended(pose(api, scene_id).json()["id"])["state"] == "succeeded"
    assert api.backend.orders[0].video.read_bytes() == b"a video"
    path = f"/v1/scenes/{scene_id}/images"
    (image,) = api.call("GET", path).json()["items"]
    assert image["name"] == "posed/0.png"
    assert api.ended(api.build(scene_id).json()["id"])["state"] == "succeeded"
    assert set(api.backend.datasets[0]) == {"posed/0.png", "opencv_cameras.json"}
    api.put(scene_id, "video", b"another video", "video/mp4")  # instead of the first
    assert api.ended(pose(api, scene_id).json()["id"])["state"] == "succeeded"
    assert api.backend.orders[-1].photographs == {}
    assert api.backend.orders[-1].video.read_bytes() == b"another video"
    assert api.call("DELETE", f"/v1/scenes/{scene_id}/video").status_code == 204
    assert not api.scene(scene_id)["has_video"]
    refused(api.call("DELETE", f"/v1/scenes/{scene_id}/video"), 404, "not-found")
    refused(api.put(scene_id, "video", b"x", "image/png"), 415, "media-type")


def test_a_build_of_unposed_photographs_poses_them_first(api: Api) -> None:
    scene_id = unposed(api)
    document = refused(api.build(scene_id), 409, "inputs-missing")
    assert f"/v1/scenes/{scene_id}/pose" in document["remedy"]
    body = {"size": 32, "pose": {"num_frames": 40}}
    answer = api.build(scene_id, json=body)
    assert answer.status_code == 202
    job = answer.json()
    assert job["kind"] == "pose"
    assert api.build(scene_id, json=body).json()["id"] == job["id"]
    posed = api.ended(job["id"])
    assert posed["state"] == "succeeded"
    built = api.ended(posed["result"]["build_job_id"])
    assert (built["kind"], built["state"]) == ("build", "succeeded")
    usual = {"weights": "fake", "framing": "auto", "convention": "opencv"}
    assert built["parameters"] == usual | {"size": 32}
    scene = api.scene(scene_id)
    assert (scene["state"], scene["job_id"]) == ("ready", built["id"])
    assert scene["posing"]["num_posed"] == 3
    again = api.build(scene_id, json={"size": 32})
    assert (again.status_code, again.json()["id"]) == (200, built["id"])


def test_files_do_not_change_while_they_are_posed(api: Api) -> None:
    scene_id = unposed(api)
    api.hold("matching")
    job = pose(api, scene_id).json()
    api.on_loop(api.backend.begun, "matching")
    assert api.scene(scene_id)["state"] == "building"
    refused(api.put(scene_id, "images/e.png", picture()), 409, "building")
    started = time.monotonic()
    cancelled = api.call("POST", f"/v1/jobs/{job['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert api.scene(scene_id)["state"] == "uploading"
    while not api.backend.cancelled["matching"]:
        assert time.monotonic() - started < 2
        time.sleep(0.01)
    assert api.put(scene_id, "images/e.png", picture()).status_code == 201


def test_posing_is_done_beside_builds(api: Api) -> None:
    api.hold("mapping")
    job = pose(api, unposed(api)).json()
    api.on_loop(api.backend.begun, "mapping")
    api.built()
    running = api.call("GET", f"/v1/jobs/{job['id']}").json()
    sketch = running["sketch"]
    assert (running["stage"], sketch["photographs"]) == (
        "mapping",
        ["a.png", "d.png", "sub/b.png"],
    )
    assert [photo["name"] for photo in sketch["placed"]] == ["a.png"]
    api.let_go("mapping")
    ended = api.ended(job["id"])
    assert ended["state"] == "succeeded"
    assert ended["sketch"] is None  # the report has taken its place


def test_why_photographs_cannot_be_posed(api: Api) -> None:
    scene_id = unposed(api)
    api.backend.errors["mapping"] = [DatasetError("0 pairs match", remedy="Take more.")]
    ended = api.ended(api.build(scene_id, json={"pose": {}}).json()["id"])
    assert ended["state"] == "failed"
    assert ended["error"] == {"problem": "0 pairs match", "remedy": "Take more."}
    scene = api.scene(scene_id)
    assert (scene["state"], scene["error"]) == ("failed", ended["error"])
    assert pose(api, scene_id).status_code == 202  # may be tried again


def test_what_was_found_is_kept_until_the_job_ends(api: Api) -> None:
    """The process dies in each stage once; the order comes again with its folder."""
    scene_id = unposed(api)
    lost = WorkerLost("the inspector process died", remedy="Try again shortly.")
    api.backend.errors["mapping"] = [lost]
    api.backend.errors["features"] = [lost]
    ended = api.ended(pose(api, scene_id).json()["id"])
    assert (ended["state"], ended["attempts"]) == ("succeeded", 3)
    assert len({order.folder for order in api.backend.orders}) == 1
    folder = api.backend.orders[0].folder
    assert folder.parent == api.state.settings.poses_folder
    for _ in range(200):
        if not folder.exists():
            break
        time.sleep(0.01)
    assert not folder.exists()


def test_too_few_photographs_are_refused(api: Api) -> None:
    scene_id = unposed(api, ("a.png", "b.png", "masks/a.png", "posed/0.png"))
    document = refused(pose(api, scene_id), 409, "inputs-missing")
    assert "2 photographs" in document["detail"]
    refused(api.build(scene_id, json={"pose": {}}), 409, "inputs-missing")


@pytest.mark.parametrize(
    "body", [{"camera_model": "FISHEYE"}, {"max_image_px": 10}, {"num_frames": 2}]
)
def test_what_cannot_be_asked_for(api: Api, body: dict[str, Any]) -> None:
    refused(pose(api, unposed(api), json=body), 422, "invalid")


def test_what_is_found_counts_against_the_quota(start: Callable[..., Api]) -> None:
    video = b"a video"
    api = start(quota_bytes=len(video) + 1)
    scene_id = api.make()
    assert api.put(scene_id, "video", video, "video/mp4").status_code == 200
    ended = api.ended(pose(api, scene_id).json()["id"])
    assert (ended["state"], ended["attempts"]) == ("failed", 1)
    assert "quota of 8 bytes" in ended["error"]["problem"]
    scene = api.scene(scene_id)
    assert (scene["num_images"], scene["input_bytes"]) == (0, len(video))


def test_quota_of_bytes(start: Callable[..., Api]) -> None:
    api = start(quota_bytes=100)
    scene_id = api.make()
    refused(api.put(scene_id, "video", b"x" * 101, "video/mp4"), 403, "quota-exceeded")
