from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nvs.api.framing import Concern
from nvs.api.jobs import BuildRequest, CountedViews, Job, ListedViews
from nvs.api.scenes import Scene
from nvs.errors import CameraError
from nvs_server.compute.protocol import WorkerLost
from nvs_server.jobs.progress import JobEvents
from tests.fakes.api import (
    ABSENT,
    RENDER,
    Api,
    opencv,
    picture,
    refused,
)
from tests.fakes.backend import EXPECTATION, HELD_OUT, SCENE_MAGIC, input_camera

OCTETS = "application/octet-stream"

USUAL = {"weights": "fake", "framing": "auto", "convention": "opencv"}


def test_a_scene_is_built(api: Api) -> None:
    scene_id = api.uploaded()
    answer = api.build(
        scene_id,
        json={"size": 32, "views": {"indices": [0, 1]}, "framing": "object"},
    )
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"../../../v1/jobs/{job['id']}"
    assert (job["kind"], job["scene_id"]) == ("build", scene_id)
    ended = api.ended(job["id"])
    assert (ended["state"], ended["progress"], ended["attempts"]) == ("succeeded", 1, 1)
    assert ended["parameters"] == {
        "weights": "fake",
        "size": 32,
        "views": {"indices": [0, 1]},
        "framing": "object",
        "convention": "opencv",
    }
    scene = api.scene(scene_id)
    assert (scene["state"], scene["job_id"]) == ("ready", job["id"])
    assert (scene["height"], scene["width"], scene["num_views"]) == (32, 32, 2)
    assert scene["weights"] == "fake"
    prepare, build = api.backend.orders
    assert prepare.request.views == ListedViews(indices=[0, 1])
    assert prepare.request.size == 32
    assert build.framing == "object"
    assert set(api.backend.datasets[0]) == {"a.png", "b.png", "opencv_cameras.json"}

    file = api.call("GET", f"/v1/scenes/{scene_id}/file")
    assert file.content.startswith(SCENE_MAGIC)
    assert len(file.content) == scene["scene_bytes"]
    inputs = api.call("GET", f"/v1/scenes/{scene_id}/inputs").json()["items"]
    assert [view["name"] for view in inputs] == ["a.png", "b.png"]
    assert inputs[1]["camera"] == input_camera(1).model_dump()
    path = f"/v1/scenes/{scene_id}/inputs/1"
    png = api.call("GET", path)
    assert png.headers["content-type"] == "image/png"
    assert png.content.startswith(b"\x89PNG")
    for tail in (f"{path}/thumbnail", f"/v1/scenes/{scene_id}/thumbnail"):
        jpeg = api.call("GET", tail)
        assert jpeg.headers["content-type"] == "image/jpeg"
        assert jpeg.content.startswith(b"\xff\xd8")
    document = refused(
        api.call("GET", f"/v1/scenes/{scene_id}/inputs/2"), 404, "not-found"
    )
    assert document["remedy"] == "The scene has the inputs 0 to 1."
    assert list(api.state.blobs.incoming().iterdir()) == []


def test_a_build_without_a_body_takes_the_defaults(api: Api) -> None:
    scene_id = api.uploaded()
    job = api.build(scene_id).json()
    assert job["parameters"] == USUAL
    assert api.ended(job["id"])["state"] == "succeeded"
    counted = api.build(scene_id, json={"size": [40, 48], "views": {"count": 2}})
    assert api.ended(counted.json()["id"])["state"] == "succeeded"
    request = api.backend.orders[2].request
    assert request.size == (40, 48)
    assert request.views == CountedViews(count=2, method="kmeans", seed=0)


def test_a_hopeless_capture_is_refused_before_there_is_a_job(api: Api) -> None:
    scene_id = api.uploaded()
    concern = Concern(
        verdict="hopeless",
        problem="all 2 views are in one place",
        remedy="Check their translations.",
        views=[],
    )
    api.backend.expectation = EXPECTATION.model_copy(
        update={"verdict": "hopeless", "framing": None, "concerns": [concern]}
    )
    document = refused(api.build(scene_id), 422, "invalid")
    assert document["detail"] == "framing: all 2 views are in one place"
    assert document["remedy"] == "Check their translations."
    assert document["errors"][0]["field"] == "framing"
    assert api.call("GET", "/v1/jobs").json()["items"] == []
    assert api.scene(scene_id)["state"] == "uploading"
    for framing in ("none", "mean_camera", "object"):
        answer = api.build(scene_id, json={"framing": framing})
        assert answer.status_code == 202
        assert api.ended(answer.json()["id"])["state"] == "succeeded"
    assert api.backend.calls["expect"] == 1


def test_what_to_expect_of_a_build_is_said_without_one(api: Api) -> None:
    path = f"/v1/scenes/{api.make()}/expectation"
    refused(api.call("POST", path), 409, "inputs-missing")
    scene_id = api.uploaded()
    path = f"/v1/scenes/{scene_id}/expectation"
    assert api.call("POST", path).json() == EXPECTATION.model_dump(mode="json")
    body = {"framing": "object", "up": [0, -1, 0.5], "holdout": 2}
    assert api.call("POST", path, json=body).status_code == 200
    (default, asked) = api.backend.expected
    assert default == BuildRequest()
    assert asked == BuildRequest(framing="object", up=(0, -1, 0.5), holdout=2)
    assert api.scene(scene_id)["state"] == "uploading"
    unknown = api.call("POST", path, json={"weights": "other"})
    assert refused(unknown, 422, "invalid")["errors"][0]["field"] == "weights"


def test_up_and_holdout_are_of_the_build_and_told_with_the_scene(api: Api) -> None:
    scene_id = api.built()
    plain = api.scene(scene_id)
    assert (plain["up"], plain["unframed"], plain["held_out"]) == (
        [0, 0, 1],
        False,
        None,
    )
    sheet = f"/v1/scenes/{scene_id}/held-out"
    document = refused(api.call("GET", sheet), 404, "not-found")
    assert "holdout" in document["remedy"]
    asked = {"up": [0, -1, 0], "holdout": 2}
    job = api.build(scene_id, json=asked).json()
    assert job["parameters"] == USUAL | asked
    ended = api.ended(job["id"])
    assert ended["result"]["expectation"] == EXPECTATION.model_dump(mode="json")
    assert ended["result"]["held_out"] == HELD_OUT.model_dump(mode="json")
    scene = api.scene(scene_id)
    assert scene["up"] == [0, -1, 0]
    assert scene["held_out"] == ended["result"]["held_out"]
    picture = api.call("GET", sheet)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == b"a sheet"
    again = api.build(scene_id, json=asked)
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    for one in asked:
        other = asked | {one: None}
        assert api.build(scene_id, json=other).status_code == 202


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("up", [0, 0, 0]),
        ("up", [0, 1]),
        ("up", "y"),
        ("up", [0, 1, "2"]),
        ("holdout", 1),
        ("holdout", 2.5),
        ("holdout", "8"),
    ],
)
def test_up_and_holdout_are_checked(api: Api, field: str, value: Any) -> None:
    document = refused(api.build(api.uploaded(), json={field: value}), 422, "invalid")
    assert document["errors"][0]["field"].startswith(field)


def test_what_a_record_keeps_for_itself_is_sent_nowhere(api: Api) -> None:
    scene_id = api.built()
    (job,) = api.call("GET", "/v1/jobs").json()["items"]
    (scene,) = api.call("GET", "/v1/scenes").json()["items"]
    jobs = [job, api.call("GET", f"/v1/jobs/{job['id']}").json()]
    jobs += [api.build(scene_id).json(), *api.events(job["id"])]
    jobs.append(api.call("POST", f"/v1/jobs/{job['id']}/cancel").json())
    assert all(set(found) == set(Job.model_fields) for found in jobs)
    scenes = [scene, api.scene(scene_id)]
    scenes.append(api.call("POST", "/v1/scenes", json={"name": "b"}).json())
    path = f"/v1/scenes/{scene_id}"
    scenes.append(api.call("PATCH", path, json={"name": "c"}).json())
    assert all(set(found) == set(Scene.model_fields) for found in scenes)
    capacity = api.call("GET", "/v1/capacity").json()
    assert set(capacity["workers"][0]) == {"device", "state", "num_restarts"}
    assert set(capacity["cache"][0]) == {"tier", "bytes", "bytes_limit", "scenes"}


def test_twenty_identical_builds_are_one(api: Api) -> None:
    scene_id = api.uploaded()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.build(scene_id, json={}), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    (job_id,) = {answer.json()["id"] for answer in answers}
    assert api.ended(job_id)["state"] == "succeeded"
    assert api.build(scene_id).status_code == 200
    assert api.build(scene_id).json()["id"] == job_id
    assert api.backend.calls["build"] == 1


def test_other_parameters_or_files_are_another_build(api: Api) -> None:
    scene_id = api.built()
    assert api.build(scene_id, json={"size": 64}).status_code == 202
    other = api.uploaded(name="same files")
    assert api.build(other).status_code == 202
    first = api.built()
    api.put(first, "images/a.png", picture(77))
    assert api.build(first).status_code == 202


def test_an_idempotency_key(api: Api) -> None:
    scene_id = api.uploaded()
    key = {"Idempotency-Key": "k1"}
    first = api.build(scene_id, json={}, headers=key)
    again = api.build(scene_id, json={}, headers=key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    document = refused(
        api.build(scene_id, json={"size": 64}, headers=key),
        409,
        "idempotency-conflict",
    )
    assert "the idempotency key 'k1' was used for another" in document["detail"]


WRONG: list[tuple[Any, str]] = [
    ({"weights": "big"}, "weights: this service has no weights 'big'"),
    ({"size": 8}, "size: input should be greater than or equal to 16"),
    ({"size": 600}, "size: 600 pixels are not from 8 to 512"),
    ({"size": [256, 264]}, "size.1: 264 pixels are not from 8 to 256"),
    ({"views": {"count": 5}}, "views.count: 5 views are more than fake takes"),
    (
        {"views": {"indices": [0, 1, 2, 3, 4]}},
        "views.indices: 5 views are more than fake takes",
    ),
    ({"views": {"method": "kmeans"}}, "views.count: field required"),
]


def test_wrong_builds(api: Api) -> None:
    scene_id = api.uploaded()
    for body, text in WRONG:
        document = refused(api.build(scene_id, json=body), 422, "invalid")
        assert text in document["detail"]
    assert api.backend.calls["prepare"] == 0


def test_a_build_needs_images_and_cameras(api: Api) -> None:
    scene_id = api.make()
    assert api.put_cameras(scene_id, opencv("a.png")).status_code == 200
    document = refused(api.build(scene_id), 409, "inputs-missing")
    assert document["detail"] == "The scene has no images and cameras."


def test_before_it_is_built(api: Api) -> None:
    scene_id = api.uploaded()
    for tail in ("file", "inputs", "inputs/0", "inputs/0/thumbnail", "thumbnail"):
        answer = api.call("GET", f"/v1/scenes/{scene_id}/{tail}")
        document = refused(answer, 409, "not-built")
        assert "has no scene file; its state is uploading" in document["detail"]
    api.hold("build")
    job = api.build(scene_id).json()
    api.on_loop(api.backend.begun, "build")
    answer = api.call("GET", f"/v1/scenes/{scene_id}/file")
    document = refused(answer, 409, "building")
    assert document["remedy"] == f"Wait for job {job['id']}."


def test_a_build_that_fails_says_why(api: Api) -> None:
    scene_id = api.uploaded()
    error = CameraError("a.png: the pose is bad", remedy="Mend it.")
    api.backend.errors["prepare"].append(error)
    ended = api.ended(api.build(scene_id).json()["id"])
    assert (ended["state"], ended["attempts"]) == ("failed", 1)
    assert ended["error"] == {"problem": "a.png: the pose is bad", "remedy": "Mend it."}
    scene = api.scene(scene_id)
    assert (scene["state"], scene["error"]) == ("failed", ended["error"])
    document = refused(
        api.call("POST", f"/v1/scenes/{scene_id}/render", json=RENDER),
        409,
        "not-built",
    )
    assert "a.png: the pose is bad" in document["detail"]
    assert api.build(scene_id).status_code == 202


def test_a_worker_that_dies_is_tried_again(api: Api) -> None:
    scene_id = api.uploaded()
    lost = WorkerLost("the worker stopped", remedy="Try again.")
    api.backend.errors["build"] += [lost, lost]
    ended = api.ended(api.build(scene_id).json()["id"])
    assert (ended["state"], ended["attempts"]) == ("succeeded", 3)
    api.backend.errors["build"] += [lost] * 3
    ended = api.ended(api.build(scene_id, json={"size": 64}).json()["id"])
    assert (ended["state"], ended["attempts"]) == ("failed", 3)
    assert ended["error"]["problem"] == "the worker stopped"
    assert api.scene(scene_id)["state"] == "ready"


def test_a_crash_is_not_shown(api: Api) -> None:
    api.backend.errors["build"] += [RuntimeError("secret")] * 3
    job = api.build(api.uploaded()).json()
    ended = api.ended(job["id"])
    assert ended["state"] == "failed"
    assert ended["error"]["problem"] == "the build failed inside the server"
    assert job["id"] in ended["error"]["remedy"]


@pytest.mark.parametrize("step", ["prepare", "build"])
def test_a_build_is_cancelled_at_each_step(api: Api, step: str) -> None:
    scene_id = api.uploaded()
    api.hold(step)
    job = api.build(scene_id).json()
    api.on_loop(api.backend.begun, step)
    path = f"/v1/jobs/{job['id']}"
    assert api.call("POST", f"{path}/cancel").json()["state"] == "cancelled"
    assert api.ended(job["id"])["state"] == "cancelled"
    assert api.backend.cancelled[step] == 1
    assert api.scene(scene_id)["state"] == "uploading"
    assert api.call("POST", f"{path}/cancel").json()["state"] == "cancelled"
    api.let_go(step)
    assert api.ended(api.build(scene_id).json()["id"])["state"] == "succeeded"


def test_a_waiting_build_is_cancelled(api: Api) -> None:
    api.hold("build")
    first = api.build(api.uploaded()).json()
    api.on_loop(api.backend.begun, "build")
    second = api.build(api.uploaded()).json()
    cancelled = api.call("POST", f"/v1/jobs/{second['id']}/cancel").json()
    assert (cancelled["state"], cancelled["attempts"]) == ("cancelled", 0)
    api.let_go("build")
    assert api.ended(first["id"])["state"] == "succeeded"
    assert api.backend.calls["build"] == 1


def test_the_queue_and_the_day_have_limits(start: Callable[..., Api]) -> None:
    api = start(max_job_queue=1, quota_builds_per_day=3)
    api.hold("build")
    first = api.build(api.uploaded())
    api.on_loop(api.backend.begun, "build")
    assert api.build(api.uploaded()).status_code == 202
    answer = api.build(api.uploaded())
    document = refused(answer, 429, "queue-full")
    assert int(answer.headers["retry-after"]) >= 1
    assert "1 jobs are waiting" in document["detail"]
    api.let_go("build")
    api.ended(first.json()["id"])
    last = api.call("GET", "/v1/jobs").json()["items"][0]
    api.ended(last["id"])
    assert api.build(api.uploaded()).status_code == 202
    document = refused(api.build(api.uploaded()), 403, "quota-exceeded")
    assert "the quota of 3 builds per day" in document["detail"]


def test_jobs_are_listed(api: Api) -> None:
    one, two = api.built(), api.built()
    both = api.call("GET", "/v1/jobs").json()["items"]
    assert [job["scene_id"] for job in both] == [two, one]
    of_one = api.call("GET", "/v1/jobs", params={"scene_id": one}).json()["items"]
    assert [job["scene_id"] for job in of_one] == [one]
    queued = api.call("GET", "/v1/jobs", params={"state": "queued"}).json()["items"]
    assert queued == []
    none = api.call("GET", "/v1/jobs", params={"scene_id": "\x00"}).json()
    assert none == {"items": [], "next_cursor": None}
    page = api.call("GET", "/v1/jobs", params={"limit": 1}).json()
    rest = api.call("GET", "/v1/jobs", params={"cursor": page["next_cursor"]}).json()
    assert [job["scene_id"] for job in rest["items"]] == [one]
    wrong = api.call("GET", "/v1/jobs", params={"state": "over"})
    refused(wrong, 422, "invalid")
    for method, tail in (
        ("GET", ""),
        ("POST", "/cancel"),
        ("GET", "/events"),
        ("GET", "/result"),
    ):
        answer = api.call(method, f"/v1/jobs/{ABSENT}{tail}")
        document = refused(answer, 404, "not-found")
        assert document["remedy"] == "GET /v1/jobs lists yours."


def test_events_tell_every_stage(api: Api) -> None:
    scene_id = api.uploaded()
    api.hold("prepare")
    job = api.build(scene_id).json()
    api.on_loop(api.backend.begun, "prepare")
    events: JobEvents = api.state.runner.events
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(api.events, job["id"])

        async def watched() -> None:
            import asyncio

            while not events._watchers:
                await asyncio.sleep(0)

        api.on_loop(watched)
        api.let_go("prepare")
        seen = watching.result(60)
    states = [event["state"] for event in seen]
    assert states[0] == "running"
    assert states[-1] == "succeeded"
    assert [event["progress"] for event in seen] == sorted(
        event["progress"] for event in seen
    )


def test_events_go_on_after_the_last_one_seen(api: Api) -> None:
    api.built()
    job = api.call("GET", "/v1/jobs").json()["items"][0]
    path = f"/v1/jobs/{job['id']}/events"
    answer = api.call("GET", path)
    assert "event: job" in answer.text
    (line,) = [one for one in answer.text.splitlines() if one.startswith("id: ")]
    done = api.call("GET", path, headers={"Last-Event-ID": line[4:]})
    assert (done.status_code, done.content) == (204, b"")
    for earlier in ("1", "nonsense", "9" * 5000):
        answer = api.call("GET", path, headers={"Last-Event-ID": earlier})
        assert '"state":"succeeded"' in answer.text


def test_a_scene_file_goes_to_another_scene(api: Api) -> None:
    built, other = api.built(), api.make()
    path = f"/v1/scenes/{built}/file"
    file = api.call("GET", path)
    answer = api.put(other, "file", file.content, OCTETS)
    assert answer.status_code == 200
    assert answer.json()["state"] == "ready"
    assert answer.json()["num_views"] == 2
    again = api.call("GET", f"/v1/scenes/{other}/file")
    assert again.headers["etag"] == file.headers["etag"]
    document = refused(
        api.call("GET", f"/v1/scenes/{other}/inputs/0"), 404, "not-found"
    )
    assert document["remedy"] == f"GET /v1/scenes/{other}/inputs/0/thumbnail."
    assert api.call("GET", f"/v1/scenes/{other}/inputs/0/thumbnail").status_code == 200
    document = refused(api.put(other, "file", b"junk", OCTETS), 422, "invalid")
    assert document["detail"] == "the scene file: not a scene file"
    refused(api.put(other, "file", b"junk", "image/png"), 415, "media-type")
    assert api.scene(other)["state"] == "ready"


RANGES: list[tuple[str, int, int, int | None]] = [
    ("bytes=0-9", 206, 0, 10),
    ("bytes=10-", 206, 10, None),
    ("bytes=-5", 206, -5, None),
    ("bytes=5-999999", 206, 5, None),
    ("bytes=9-3", 200, 0, None),
    ("bytes=0-1,4-5", 200, 0, None),
    ("lines=1-2", 200, 0, None),
    ("bytes=-", 200, 0, None),
]


def test_ranges(api: Api) -> None:
    path = f"/v1/scenes/{api.built()}/file"
    whole = api.call("GET", path)
    for header, status, first, last in RANGES:
        part = api.call("GET", path, headers={"Range": header})
        assert part.status_code == status, header
        assert part.content == whole.content[first:last], header
        assert part.headers["content-length"] == str(len(part.content))
        stale = {"Range": header, "If-Range": '"other"'}
        assert api.call("GET", path, headers=stale).content == whole.content


def test_ranges_outside(api: Api) -> None:
    path = f"/v1/scenes/{api.built()}/file"
    size = len(api.call("GET", path).content)
    for header in ("bytes=99999-", "bytes=-0"):
        answer = api.call("GET", path, headers={"Range": header})
        refused(answer, 416, "range")
        assert answer.headers["content-range"] == f"bytes */{size}"
