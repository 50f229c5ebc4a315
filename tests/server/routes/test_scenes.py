from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nvs_server.storage.records import Quotas
from tests.fakes.api import ABSENT, Api, refused

PAST, FUTURE = "2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def test_a_scene_is_made_found_changed_and_deleted(api: Api) -> None:
    made = api.call(
        "POST",
        "/v1/scenes",
        json={"name": "chair", "tags": ["x"], "expires_at": FUTURE},
    )
    assert made.status_code == 201
    scene = made.json()
    assert made.headers["location"] == f"../v1/scenes/{scene['id']}"
    assert scene["state"] == "empty"
    assert scene["expires_at"] == FUTURE
    assert scene["tags"] == ["x"]
    path = f"/v1/scenes/{scene['id']}"
    assert api.call("GET", path).json() == scene

    renamed = api.call("PATCH", path, json={"name": "stool"}).json()
    assert (renamed["name"], renamed["tags"]) == ("stool", ["x"])
    assert renamed["expires_at"] == FUTURE
    cleared = api.call("PATCH", path, json={"expires_at": None, "tags": []}).json()
    assert (cleared["name"], cleared["tags"]) == ("stool", [])
    assert cleared["expires_at"] is None

    assert api.call("DELETE", path).status_code == 204
    refused(api.call("DELETE", path), 404, "not-found")
    document = refused(api.call("GET", path), 404, "not-found")
    assert document["detail"] == f"There is no scene '{scene['id']}' of yours."


def test_the_up_axis_of_a_built_scene_is_kept_and_turns_its_orbits(api: Api) -> None:
    path = f"/v1/scenes/{api.make()}"
    refused(api.call("PATCH", path, json={"up": [0, 1, 0]}), 409, "not-built")
    scene_id = api.built()
    path = f"/v1/scenes/{scene_id}"
    order = {"height": 64, "width": 64}

    def video() -> tuple[float, ...]:
        job = api.call("POST", f"{path}/videos", json=order).json()
        assert api.ended(job["id"])["state"] == "succeeded"
        return api.backend.orders[-1].up

    assert video() == (0, 0, 1)
    changed = api.call("PATCH", path, json={"up": [0, -2, 0]}).json()
    assert changed["up"] == api.scene(scene_id)["up"] == [0, -1, 0]
    assert video() == (0, -1, 0)
    job = api.build(scene_id, json={"size": 64}).json()
    assert api.ended(job["id"])["state"] == "succeeded"
    assert api.scene(scene_id)["up"] == [0, 0, 1]


def test_a_scene_that_is_asked_for_twice(api: Api) -> None:
    key = {"Idempotency-Key": "k1"}
    first, again = (
        api.call("POST", "/v1/scenes", json={"name": "chair"}, headers=key)
        for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.headers["Location"] == again.headers["Location"]
    other = api.call("POST", "/v1/scenes", json={"name": "table"}, headers=key)
    told = refused(other, 409, "idempotency-conflict")
    assert f"another request, scene '{first.json()['id']}'" in told["detail"]
    assert len(api.call("GET", "/v1/scenes").json()["items"]) == 1


def test_pages_go_from_new_to_old(api: Api) -> None:
    made = [
        api.make(name=f"s{index}", tags=["even"] * (1 - index % 2))
        for index in range(5)
    ]
    found: list[str] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.call("GET", "/v1/scenes", params=query).json()
        found += [scene["id"] for scene in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == made[::-1]
    tagged = api.call("GET", "/v1/scenes", params={"tag": "even"}).json()["items"]
    assert [scene["id"] for scene in tagged] == made[4::-2]
    ready = api.call("GET", "/v1/scenes", params={"state": "ready"}).json()
    assert ready == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"limit": 0}, "limit: input should be greater than or equal to 1"),
        ({"limit": 201}, "limit: input should be less than or equal to 200"),
        ({"state": "done"}, "state: input should be 'empty'"),
        ({"cursor": "nonsense"}, "the cursor 'nonsense' is not one that a list"),
        ({"tag": "a\x00b"}, "tag: string should match pattern"),
    ],
)
def test_wrong_queries(api: Api, query: dict[str, Any], text: str) -> None:
    document = refused(api.call("GET", "/v1/scenes", params=query), 422, "invalid")
    assert text in document["detail"]


@pytest.mark.parametrize(
    ("method", "body", "text"),
    [
        ("POST", {}, "name: field required"),
        ("POST", {"name": "a", "expires_at": PAST}, "expires_at: 2001-01-01"),
        ("PATCH", {"expires_at": PAST}, "expires_at: 2001-01-01"),
        ("PATCH", {"name": None}, "name: input should be a valid string"),
        ("PATCH", {"up": [0, 0, 0]}, "up: the up axis is [0.0, 0.0, 0.0]"),
        ("PATCH", {"state": "ready"}, "state: extra inputs are not permitted"),
    ],
)
def test_wrong_bodies(api: Api, method: str, body: Any, text: str) -> None:
    path = "/v1/scenes" if method == "POST" else f"/v1/scenes/{api.make()}"
    document = refused(api.call(method, path, json=body), 422, "invalid")
    assert text in document["detail"]
    assert document["errors"][0]["remedy"]


@pytest.mark.parametrize("scene_id", [ABSENT, "A" * 26, "x", "a\x00" * 13, "%2e%2e"])
def test_scenes_that_are_not_there(api: Api, scene_id: str) -> None:
    path = f"/v1/scenes/{scene_id}"
    for method, tail, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "a"}),
        ("DELETE", "", None),
        ("GET", "/images", None),
        ("GET", "/images/a.png", None),
        ("DELETE", "/images/a.png", None),
        ("GET", "/cameras", None),
        ("GET", "/validation", None),
        ("GET", "/file", None),
        ("GET", "/inputs", None),
        ("GET", "/inputs/0", None),
        ("GET", "/inputs/0/thumbnail", None),
        ("GET", "/thumbnail", None),
        ("POST", "/build", {}),
    ):
        answer = api.call(method, path.replace("\x00", "%00") + tail, json=body)
        refused(answer, 404, "not-found")


def test_scenes_of_others_are_not_there(api: Api) -> None:
    def key(owner: str) -> dict[str, str]:
        _, secret = api.state.keys.create(
            name=owner, owner=owner, scopes=["read", "write"], quotas=Quotas()
        )
        return {"Authorization": f"Bearer {secret}"}

    ada, bob = key("ada"), key("bob")
    api.headers = ada
    scene_id = api.make()
    refused(api.call("GET", f"/v1/scenes/{scene_id}", headers=bob), 404, "not-found")
    refused(api.call("DELETE", f"/v1/scenes/{scene_id}", headers=bob), 404, "not-found")
    assert api.call("GET", "/v1/scenes", headers=bob).json()["items"] == []
    assert api.call("GET", f"/v1/scenes/{scene_id}").status_code == 200


def test_the_quota_of_scenes(start: Callable[..., Api]) -> None:
    api = start(quota_scenes=2)
    api.make()
    api.make()
    answer = api.call("POST", "/v1/scenes", json={"name": "third"})
    document = refused(answer, 403, "quota-exceeded")
    assert "the quota of 2 scenes does not allow this: 2 in use" in document["detail"]


def test_deleting_a_scene_ends_its_build(api: Api) -> None:
    api.hold("build")
    scene_id = api.uploaded()
    job = api.build(scene_id).json()
    api.on_loop(api.backend.begun, "build")
    assert api.call("DELETE", f"/v1/scenes/{scene_id}").status_code == 204
    assert api.ended(job["id"])["state"] == "cancelled"
    assert api.backend.cancelled["build"] == 1


def test_the_service_about_itself(api: Api) -> None:
    api.uploaded()
    me = api.call("GET", "/v1/me").json()
    assert (me["owner"], me["auth"], me["key_name"]) == ("local", "open", None)
    assert me["usage"]["scenes"] == 1
    assert me["usage"]["bytes"] > 100
    assert me["quotas"]["scenes"] == 1000
    (model,) = api.call("GET", "/v1/models").json()["items"]
    assert (model["id"], model["patch_size"], model["trained_width"]) == (
        "fake",
        8,
        None,
    )
    capacity = api.call("GET", "/v1/capacity").json()
    assert capacity["workers"] == [
        {"device": "cpu", "state": "ready", "num_restarts": 1}
    ]
    assert capacity["queue"]["renders_limit"] == 64
    assert capacity["cache"][0]["tier"] == "host"
    assert capacity["draining"] is False
    ticket = api.call("POST", "/v1/tickets").json()
    assert len(ticket["ticket"]) > 20
    assert ticket["expires_in_seconds"] == 30


def test_every_operation_is_described(api: Api) -> None:
    paths = api.call("GET", "/openapi.json").json()["paths"]
    names: list[str] = []
    for path, ways in paths.items():
        if not path.startswith("/v1/"):
            continue
        for method, operation in ways.items():
            names.append(operation["operationId"])
            assert operation["tags"], path
            assert operation["summary"], path
            assert operation["description"], path
            good = [s for s in operation["responses"] if s.startswith("2")]
            assert good, path
            assert all(r["description"] for r in operation["responses"].values())
            assert {"401", "403", "429", "503"} <= set(operation["responses"]), path
            if method == "put" or path.endswith("build"):
                assert operation["requestBody"]["content"]
    assert len(names) == len(set(names)) >= 30
