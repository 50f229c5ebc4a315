"""Masks of a scene: made as a job, looked at, accepted or refused, used in builds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nvs.errors import DatasetError
from tests.fakes.api import Api, opencv, picture, refused

NAMES = ("a.png", "sub/b.png", "c.png")


def posed(api: Api) -> str:
    scene_id = api.make()
    for shade, name in enumerate(NAMES):
        assert api.put(scene_id, f"images/{name}", picture(shade)).status_code == 201
    assert api.put_cameras(scene_id, opencv(*NAMES)).status_code == 200
    return scene_id


def mask(api: Api, scene_id: str, **options: Any) -> Any:
    return api.call("POST", f"/v1/scenes/{scene_id}/masks", **options)


def masks(api: Api, scene_id: str) -> Any:
    return api.call("GET", f"/v1/scenes/{scene_id}/masks").json()


def decide(api: Api, scene_id: str, **options: Any) -> Any:
    return api.call("PATCH", f"/v1/scenes/{scene_id}/masks", **options)


def used(api: Api, scene_id: str) -> set[str]:
    """Files that a build reads."""
    assert api.ended(api.build(scene_id).json()["id"])["state"] == "succeeded"
    return set(api.backend.datasets[-1])


def test_masks_are_used_once_accepted(api: Api) -> None:
    scene_id = posed(api)
    answer = mask(api, scene_id)
    assert (answer.status_code, answer.json()["kind"]) == (202, "mask")
    ended = api.ended(answer.json()["id"])
    assert ended["state"] == "succeeded"
    assert {one["image"] for one in ended["result"]["masks"]} == set(NAMES)
    assert masks(api, scene_id) == {"proposed": sorted(NAMES), "num_used": 0}
    scene = api.scene(scene_id)
    assert (scene["state"], scene["num_images"]) == ("uploading", 3)
    before = used(api, scene_id)
    assert before == {*NAMES, "opencv_cameras.json"}

    path = f"/v1/scenes/{scene_id}/masks"
    shown = api.call("GET", f"{path}/sub/b.png")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    refused(api.call("GET", f"{path}/d.png"), 404, "not-found")
    refused(decide(api, scene_id, json={"accepted": ["d.png"]}), 422, "invalid")
    answer = decide(api, scene_id, json={"accepted": ["a.png", "sub/b.png"]})
    assert answer.json() == {"proposed": [], "num_used": 2}
    refused(api.call("GET", f"{path}/sub/b.png"), 404, "not-found")
    assert used(api, scene_id) == {
        *before,
        "masks/a.png.png",
        "masks/sub/b.png.png",
    }


def test_new_masks_take_the_place_of_others_by_force(api: Api) -> None:
    scene_id = posed(api)
    api.put(scene_id, "images/masks/a.png", picture(9))
    document = refused(mask(api, scene_id), 422, "invalid")
    assert "has 1 masks already" in document["detail"]
    ended = api.ended(mask(api, scene_id, json={"force": True}).json()["id"])
    assert ended["state"] == "succeeded"
    assert decide(api, scene_id).json() == {"proposed": [], "num_used": 3}
    assert "masks/a.png" not in used(api, scene_id)


def test_what_is_refused_can_be_made_again(api: Api) -> None:
    scene_id = posed(api)
    first = mask(api, scene_id).json()["id"]
    assert api.ended(first)["state"] == "succeeded"
    assert decide(api, scene_id, json={"accepted": []}).json()["num_used"] == 0
    second = mask(api, scene_id).json()["id"]
    assert second != first
    assert api.ended(second)["state"] == "succeeded"
    assert len(masks(api, scene_id)["proposed"]) == 3


def test_a_scene_is_as_good_as_before_where_there_is_no_thing(api: Api) -> None:
    scene_id = posed(api)
    api.backend.errors["mask"] = [DatasetError("no thing", remedy="Use weights.")]
    ended = api.ended(mask(api, scene_id).json()["id"])
    assert (ended["state"], ended["error"]["problem"]) == ("failed", "no thing")
    scene = api.scene(scene_id)
    assert (scene["state"], scene["error"]) == ("uploading", None)


def test_files_do_not_change_while_masks_are_made(api: Api) -> None:
    scene_id = posed(api)
    api.hold("mask")
    job = mask(api, scene_id).json()
    api.on_loop(api.backend.begun, "mask")
    refused(decide(api, scene_id), 409, "building")
    assert mask(api, scene_id).json()["id"] == job["id"]
    api.let_go("mask")
    assert api.ended(job["id"])["state"] == "succeeded"


def test_masks_need_cameras_and_count_against_the_quota(
    start: Callable[..., Api],
) -> None:
    api = start(quota_bytes=3000)
    scene_id = api.make()
    refused(mask(api, scene_id), 409, "inputs-missing")
    api.put(scene_id, "images/a.png", picture())
    api.put_cameras(scene_id, opencv("a.png"))
    spare = 3000 - api.scene(scene_id)["input_bytes"]
    api.put(api.make(), "video", b"x" * (spare - 1), "video/mp4")
    ended = api.ended(mask(api, scene_id).json()["id"])
    assert ended["state"] == "failed"
    assert "quota" in ended["error"]["problem"]
    assert masks(api, scene_id) == {"proposed": [], "num_used": 0}
