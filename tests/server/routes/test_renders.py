from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from typing import Any

import pytest

from nvs.api.renders import FollowPath, Orbit
from nvs.errors import ConfigError
from nvs_server.compute.protocol import WorkerLost
from nvs_server.jobs.rebuild import rebuild
from tests.fakes.api import (
    ABSENT,
    LOOK_AT,
    RENDER,
    Api,
    opencv,
    picture,
    refused,
)
from tests.fakes.backend import MODEL, picture_of

OCTETS = "application/octet-stream"
ORBIT = {"kind": "orbit", "num_frames": 3}
VIDEO = {"trajectory": ORBIT, "height": 64, "width": 64}


def render(api: Api, scene_id: str, **changes: Any) -> Any:
    return api.call("POST", f"/v1/scenes/{scene_id}/render", json=RENDER | changes)


def cameras(count: int) -> list[dict[str, Any]]:
    return [LOOK_AT | {"eye": [float(index + 1), 0, 1]} for index in range(count)]


def test_a_picture(api: Api) -> None:
    scene_id = api.built()
    answer = render(api, scene_id, format="jpeg", quality=70, background="#102030")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["server-timing"] == (
        "queue;dur=1.000, load;dur=2.500, model;dur=3.000, encode;dur=4.000"
    )
    assert answer.headers["nvs-cache-tier"] == "host"
    assert answer.headers["nvs-height"] == answer.headers["nvs-width"] == "64"
    order = api.backend.orders[-1]
    assert (order.options.quality, order.options.background) == (70, "#102030")
    assert order.scene.scene_id == scene_id
    (camera,) = order.cameras
    assert answer.content == picture_of(camera, order.options)
    assert camera.fx == camera.fy == pytest.approx(68.62, abs=0.01)
    assert (camera.cx, camera.cy) == (32, 32)
    assert camera.world_from_camera[3] == [0, 0, 0, 1]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"height": 60}, "height: 60 is not a multiple of 8"),
    ({"width": 264}, "width: 264 pixels are more than fake renders"),
    ({"height": 8}, "height: input should be greater than or equal to 16"),
    ({"camera": LOOK_AT | {"up": [0, 0, 0]}}, "camera.up: the up axis has no"),
    ({"camera": {"eye": 1}}, "camera.eye: it is int, not a list"),
    ({"camera": [1]}, "camera: the camera is list, not an object"),
    ({"format": "gif"}, "format: input should be 'png'"),
]


def test_wrong_pictures(api: Api) -> None:
    scene_id = api.built()
    for changes, text in WRONG:
        document = refused(render(api, scene_id, **changes), 422, "invalid")
        assert text in document["detail"]
        assert document["errors"][0]["remedy"]
    assert api.backend.calls["render"] == 0


def test_nan_in_the_body(api: Api) -> None:
    body = (
        b'{"height": 64, "width": 64, "camera": {"eye": [NaN, 0, 1], '
        b'"target": [0, 0, 0], "vertical_fov_degrees": 50}}'
    )
    path = f"/v1/scenes/{api.built()}/render"
    answer = api.call(
        "POST", path, content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert "nan" in answer.text.lower() or "finite" in answer.text


def test_the_limit_of_pixels(start: Callable[..., Api]) -> None:
    api = start(max_render_pixels=5000)
    document = refused(render(api, api.built(), height=80), 422, "invalid")
    assert "height: 80×64 is over 5000 pixels" in document["detail"]


def test_pictures_of_no_scene(api: Api) -> None:
    refused(render(api, ABSENT), 404, "not-found")
    refused(render(api, api.make()), 409, "not-built")


def test_weights_that_are_no_longer_served(api: Api) -> None:
    scene_id = api.built()
    api.backend.served.clear()
    document = refused(render(api, scene_id), 409, "not-built")
    assert "'fake', which is no longer served" in document["detail"]
    refused(api.build(scene_id, json={"size": 64}), 503, "worker-lost")


def test_failures_of_the_backend(api: Api) -> None:
    scene_id = api.built()
    api.backend.errors["render"] += [
        WorkerLost("the worker stopped", remedy="Try again."),
        ConfigError("size too odd", remedy="Make it even."),
        RuntimeError("secret"),
    ]
    answer = render(api, scene_id)
    refused(answer, 503, "worker-lost")
    assert answer.headers["retry-after"]
    assert refused(render(api, scene_id), 422, "invalid")["detail"] == "size too odd"
    answer = render(api, scene_id)
    refused(answer, 500, "internal")
    assert "secret" not in answer.text


def test_a_full_house(start: Callable[..., Api]) -> None:
    api = start(max_render_queue=1)
    scene_id = api.built()
    api.hold("render")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(render, api, scene_id)
        api.on_loop(api.backend.begun, "render")
        answer = render(api, scene_id)
        refused(answer, 429, "queue-full")
        assert int(answer.headers["retry-after"]) >= 1
        api.let_go("render")
        assert first.result(60).status_code == 200
    assert render(api, scene_id).status_code == 200


def test_a_lost_scene_file_is_built_again(api: Api) -> None:
    scene_id = api.built()
    before = api.scene(scene_id)
    sha256 = api.state.scenes.get("local", scene_id).scene_sha256
    api.state.blobs.local_path(sha256).write_bytes(b"altered")
    api.backend.lost.add(sha256)
    api.hold("build")
    answer = render(api, scene_id)
    document = refused(answer, 503, "scene-damaged")
    assert int(answer.headers["retry-after"]) == 10
    job_id = api.scene(scene_id)["job_id"]
    assert f"job {job_id} builds it again" in document["detail"]
    assert job_id != before["job_id"]
    refused(render(api, scene_id), 409, "building")
    api.backend.lost.clear()
    api.let_go("build")
    assert api.ended(job_id)["state"] == "succeeded"
    assert render(api, scene_id).status_code == 200
    assert api.state.scenes.get("local", scene_id).scene_sha256 == sha256


def test_a_scene_file_that_only_seemed_lost_is_kept(api: Api) -> None:
    scene_id = api.built()
    sha256 = api.state.scenes.get("local", scene_id).scene_sha256
    api.backend.lost.add(sha256)
    refused(render(api, scene_id), 503, "scene-damaged")
    assert api.scene(scene_id)["state"] == "ready"
    api.backend.lost.clear()
    assert render(api, scene_id).status_code == 200


def test_a_lost_uploaded_scene_file_fails_the_scene(api: Api) -> None:
    data = api.call("GET", f"/v1/scenes/{api.built()}/file").content
    scene_id = api.make()
    api.put(scene_id, "file", data, OCTETS)
    sha256 = api.state.scenes.get("local", scene_id).scene_sha256
    api.state.blobs.delete(sha256)
    api.backend.lost.add(sha256)
    document = refused(render(api, scene_id), 409, "not-built")
    assert "the scene file is lost: the stored file" in document["detail"]
    assert document["remedy"].startswith("Upload the scene file")
    scene = api.scene(scene_id)
    assert scene["state"] == "failed"
    assert "the scene file is lost" in scene["error"]["problem"]


def test_a_batch_as_zip(api: Api) -> None:
    scene_id = api.built()
    path = f"/v1/scenes/{scene_id}/renders"
    body = {"cameras": cameras(19), "height": 64, "width": 64, "format": "webp"}
    answer = api.call("POST", path, json=body)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [f"{index:05d}.webp" for index in range(19)]
        last = archive.read("00018.webp")
    order = api.backend.orders[-1]
    assert last == picture_of(order.cameras[-1], order.options)
    groups = [len(order.cameras) for order in api.backend.orders[-3:]]
    assert groups == [8, 8, 3]
    assert api.state.admission.num_renders == 0


def test_a_batch_as_multipart(api: Api) -> None:
    path = f"/v1/scenes/{api.built()}/renders"
    body = {"cameras": cameras(3), "height": 64, "width": 64}
    answer = api.call(
        "POST", path, json=body, headers={"Accept": "text/html, multipart/mixed;q=0.5"}
    )
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + answer.content).get_payload()
    assert [part.get_filename() for part in parts] == [
        f"{index:05d}.png" for index in range(3)
    ]
    assert {part.get_content_type() for part in parts} == {"image/png"}
    order = api.backend.orders[-1]
    assert [part.get_payload(decode=True) for part in parts] == [
        picture_of(camera, order.options) for camera in order.cameras
    ]


def test_wrong_batches(start: Callable[..., Api]) -> None:
    api = start(max_batch_cameras=4)
    path = f"/v1/scenes/{api.built()}/renders"
    sizes = {"height": 64, "width": 64}
    answer = api.call("POST", path, json=sizes | {"cameras": cameras(5)})
    document = refused(answer, 422, "invalid")
    assert document["remedy"] == "Send at most 4 at a time."
    answer = api.call(
        "POST",
        path,
        json=sizes | {"cameras": cameras(1)},
        headers={"Accept": "text/html"},
    )
    refused(answer, 406, "not-acceptable")
    answer = api.call("POST", path, json=sizes | {"cameras": [{}]})
    assert "cameras.0.eye" in refused(answer, 422, "invalid")["detail"]


@pytest.mark.parametrize("most", [1, 100])
def test_a_batch_may_be_as_long_as_the_setting_says(
    start: Callable[..., Api], most: int
) -> None:
    api = start(max_batch_cameras=most)
    path = f"/v1/scenes/{api.built()}/renders"
    for count, status in ((most, 200), (most + 1, 422)):
        request = {"height": 64, "width": 64, "cameras": cameras(count)}
        assert api.call("POST", path, json=request).status_code == status


def test_a_batch_that_fails_in_the_middle_is_a_problem(api: Api) -> None:
    path = f"/v1/scenes/{api.built()}/renders"
    body = {"cameras": cameras(9), "height": 64, "width": 64}
    api.hold("render")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.call, "POST", path, json=body)
        api.on_loop(api.backend.begun, "render")
        lost = WorkerLost("the worker stopped", remedy="Try again.")
        api.backend.errors["render"].append(lost)
        api.let_go("render")
        refused(answer.result(60), 503, "worker-lost")
    assert list(api.state.blobs.incoming().iterdir()) == []


def test_a_video(api: Api) -> None:
    scene_id = api.built()
    path = f"/v1/scenes/{scene_id}/videos"
    answer = api.call("POST", path, json=VIDEO | {"fps": 12})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"../../../v1/jobs/{job['id']}"
    ended = api.ended(job["id"])
    assert ended["state"] == "succeeded"
    assert ended["result"]["num_bytes"] == 1024
    assert ended["result"]["fps"] == 12
    request = api.backend.orders[-1].request
    assert request.trajectory == Orbit(kind="orbit", num_frames=3)
    result = f"/v1/jobs/{job['id']}/result"
    video = api.call("GET", result)
    assert video.headers["content-type"] == "video/mp4"
    assert len(video.content) == 1024
    part = api.call("GET", result, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, video.content[100:200])
    assert part.headers["content-range"] == "bytes 100-199/1024"
    assert api.call("POST", path, json=VIDEO | {"fps": 12}).status_code == 200
    assert api.call("POST", path, json=VIDEO).status_code == 202
    api.call("DELETE", f"/v1/scenes/{scene_id}")
    document = refused(api.call("GET", result), 404, "not-found")
    assert "its scene was deleted" in document["detail"]


def test_a_video_along_a_path(api: Api) -> None:
    scene_id = api.built()
    pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -2.5], [0, 0, 0, 1]]
    frame = {"world_from_camera": pose, "fx": 9, "fy": 9, "cx": 8, "cy": 8}
    content = {
        "format": "lact-nvs camera path",
        "version": 1,
        "fps": 24,
        "height": 16,
        "width": 16,
        "frames": [frame],
    }
    body = VIDEO | {"trajectory": {"camera_path": content}}
    answer = api.call("POST", f"/v1/scenes/{scene_id}/videos", json=body)
    assert api.ended(answer.json()["id"])["state"] == "succeeded"
    trajectory = api.backend.orders[-1].request.trajectory
    assert trajectory == FollowPath.model_validate({"camera_path": content})
    frame["fx"] = -1
    answer = api.call("POST", f"/v1/scenes/{scene_id}/videos", json=body)
    document = refused(answer, 422, "invalid")
    assert "trajectory.camera_path.frames.0.fx" in document["detail"]


def test_wrong_videos(start: Callable[..., Api]) -> None:
    api = start(max_video_frames=2)
    scene_id = api.built()
    path = f"/v1/scenes/{scene_id}/videos"
    document = refused(api.call("POST", path, json=VIDEO), 422, "invalid")
    assert "trajectory: 3 frames are over the limit" in document["detail"]
    document = refused(
        api.call("POST", path, json=VIDEO | {"height": 20}), 422, "invalid"
    )
    assert "height: 20 is not a multiple of 8" in document["detail"]
    other = api.call("POST", f"/v1/scenes/{api.make()}/videos", json=VIDEO)
    refused(other, 409, "not-built")


def test_a_job_without_a_video(api: Api) -> None:
    scene_id = api.built()
    build = api.scene(scene_id)["job_id"]
    document = refused(api.call("GET", f"/v1/jobs/{build}/result"), 409, "no-result")
    assert document["remedy"] == f"GET /v1/scenes/{scene_id}/file."
    api.hold("video")
    job = api.call("POST", f"/v1/scenes/{scene_id}/videos", json=VIDEO).json()
    api.on_loop(api.backend.begun, "video")
    answer = api.call("GET", f"/v1/jobs/{job['id']}/result")
    assert refused(answer, 409, "no-result")["detail"] == "The job is running."
    cancelled = api.call("POST", f"/v1/jobs/{job['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert api.ended(job["id"])["state"] == "cancelled"
    assert api.backend.cancelled["video"] == 1


def test_a_video_of_a_lost_scene_file(api: Api) -> None:
    scene_id = api.built()
    sha256 = api.state.scenes.get("local", scene_id).scene_sha256
    api.state.blobs.delete(sha256)
    api.backend.lost.add(sha256)
    job = api.call("POST", f"/v1/scenes/{scene_id}/videos", json=VIDEO).json()
    ended = api.ended(job["id"])
    assert ended["state"] == "failed"
    assert ended["error"]["remedy"].startswith("Wait until the scene is ready again")
    rebuilt = api.ended(api.scene(scene_id)["job_id"])
    assert rebuilt["state"] == "succeeded"
    assert api.scene(scene_id)["state"] == "ready"


def test_two_who_meet_the_same_damage_are_told_of_one_build(api: Api) -> None:
    scene_id = api.built()
    record = api.state.scenes.get("local", scene_id)
    api.state.blobs.local_path(record.scene_sha256).write_bytes(b"altered")
    api.hold("build")
    parts = (api.state.scenes, api.state.jobs, api.state.blobs)
    first, second = rebuild(record, *parts), rebuild(record, *parts)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    api.let_go("build")


def test_damage_of_an_older_file_leaves_the_newer_alone(api: Api) -> None:
    scene_id = api.built()
    old = api.state.scenes.get("local", scene_id)
    api.put(scene_id, "images/extra.png", picture(9))
    api.put_cameras(scene_id, opencv("a.png", "extra.png"))
    assert api.ended(api.build(scene_id).json()["id"])["state"] == "succeeded"
    new = api.state.scenes.get("local", scene_id)
    assert new.scene_sha256 != old.scene_sha256
    api.state.blobs.delete(old.scene_sha256)
    assert rebuild(old, api.state.scenes, api.state.jobs, api.state.blobs) is None
    assert api.state.scenes.get("local", scene_id) == new


def test_a_lost_file_is_built_as_it_was_not_as_was_tried_since(api: Api) -> None:
    scene_id = api.built()
    made_by = api.scene(scene_id)["job_id"]
    api.hold("build")
    tried = api.build(scene_id, json={"views": {"count": 1}}).json()
    api.call("POST", f"/v1/jobs/{tried['id']}/cancel")
    record = api.state.scenes.get("local", scene_id)
    assert (record.job_id, record.built_job_id) == (tried["id"], made_by)
    api.state.blobs.delete(record.scene_sha256)
    again = rebuild(record, api.state.scenes, api.state.jobs, api.state.blobs)
    assert again is not None
    assert again.parameters == api.state.jobs.get("local", made_by).parameters
    api.let_go("build")


def test_scenes_of_replaced_weights_are_to_be_built_again(api: Api) -> None:
    scene_id = api.built()
    api.backend.served = [MODEL.model_copy(update={"digest": "0" * 64})]
    document = refused(render(api, scene_id), 409, "not-built")
    assert "other weights" in document["detail"]
    assert document["remedy"].startswith("Build it again")
