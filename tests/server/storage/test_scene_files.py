from __future__ import annotations

import pytest

from nvs.api.scenes import Failure
from nvs_server.storage.errors import NotFound, QuotaExceeded, SceneBusy
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.scenes import SceneStore
from tests.server.storage.conftest import OWNER, at_once, built, cameras, image


def test_files_are_put_replaced_and_deleted(scenes: SceneStore, scene_id: str) -> None:
    assert scenes.put_file(scene_id, image("b/ü.jpg"))
    assert scenes.put_file(scene_id, image("a.jpg"))
    assert scenes.put_file(scene_id, cameras())
    replaced = image("a.jpg", 30, content="other")
    assert not scenes.put_file(scene_id, replaced)
    assert scenes.files(scene_id) == [replaced, image("b/ü.jpg"), cameras()]
    assert scenes.files(scene_id, "image") == [replaced, image("b/ü.jpg")]
    assert scenes.file(scene_id, "a.jpg") == replaced
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.num_images, scene.has_cameras, scene.input_bytes) == (
        "uploading",
        2,
        True,
        45,
    )
    for path in ("a.jpg", "b/ü.jpg", "transforms.json"):
        assert scenes.delete_file(scene_id, path)
    assert not scenes.delete_file(scene_id, "a.jpg")
    assert scenes.file(scene_id, "a.jpg") is None
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.input_bytes, scene.has_cameras) == ("empty", 0, False)


def test_replacing_all_or_one_kind(scenes: SceneStore, scene_id: str) -> None:
    scenes.replace_files(scene_id, [image("a.jpg"), image("b.jpg"), cameras()])
    scenes.replace_files(scene_id, [cameras("cameras.bin")], kind="cameras")
    assert scenes.files(scene_id) == [
        image("a.jpg"),
        image("b.jpg"),
        cameras("cameras.bin"),
    ]
    scenes.replace_files(scene_id, [image("b.jpg", content="new"), image("c.jpg")])
    assert scenes.files(scene_id) == [image("b.jpg", content="new"), image("c.jpg")]


def test_quota_of_bytes_covers_all_scenes_of_the_owner(
    scenes: SceneStore, scene_id: str
) -> None:
    other = scenes.create(OWNER, "other").id
    scenes.put_file(other, image("a.jpg", 60), limit_bytes=100)
    scenes.put_file(scene_id, image("a.jpg", 40), limit_bytes=100)
    with pytest.raises(QuotaExceeded, match=r"quota of 100 bytes .* 100 in use"):
        scenes.put_file(scene_id, image("b.jpg", 1), limit_bytes=100)
    with pytest.raises(QuotaExceeded):
        scenes.put_file(scene_id, image("a.jpg", 41), limit_bytes=100)
    with pytest.raises(QuotaExceeded):
        scenes.replace_files(scene_id, [image("c.jpg", 41)], limit_bytes=100)
    assert scenes.files(scene_id) == [image("a.jpg", 40)]
    scenes.replace_files(scene_id, [image("c.jpg", 40)], limit_bytes=100)
    scenes.put_file(scene_id, image("c.jpg", 30), limit_bytes=10)  # less is allowed
    assert scenes.usage(OWNER).bytes == 90


def test_threads_do_not_exceed_the_quota_of_bytes(scenes: SceneStore) -> None:
    ids = [scenes.create(OWNER, str(number)).id for number in range(4)]

    def put(index: int) -> bool:
        file = image(f"{index}.jpg", 10)
        return scenes.put_file(ids[index % 4], file, limit_bytes=95)

    results = at_once(20, put)
    assert results.count(True) == 9
    assert sum(isinstance(result, QuotaExceeded) for result in results) == 11
    assert scenes.usage(OWNER).bytes == 90


def test_threads_lose_no_file_of_one_scene(scenes: SceneStore, scene_id: str) -> None:
    results = at_once(20, lambda i: scenes.put_file(scene_id, image(f"{i % 10}.jpg")))
    assert sorted(results, key=str) == [False] * 10 + [True] * 10
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.num_images, scene.input_bytes) == (10, 100)


def test_files_do_not_change_during_a_build(
    scenes: SceneStore, jobs: JobStore, scene_id: str
) -> None:
    scenes.put_file(scene_id, image("a.jpg"))
    job, _ = jobs.submit(OWNER, scene_id, "build", {}, dedupe_key="k")
    with pytest.raises(SceneBusy):
        scenes.put_file(scene_id, image("b.jpg"))
    with pytest.raises(SceneBusy):
        scenes.delete_file(scene_id, "a.jpg")
    with pytest.raises(SceneBusy):
        scenes.replace_files(scene_id, [])
    jobs.cancel(OWNER, job.id)
    assert scenes.put_file(scene_id, image("b.jpg"))


def test_new_files_clear_a_failure(
    scenes: SceneStore, jobs: JobStore, scene_id: str
) -> None:
    job, _ = jobs.submit(OWNER, scene_id, "build", {}, dedupe_key="k")
    jobs.claim("w", 60)
    jobs.fail(job.id, "w", Failure(problem="p", remedy="r"), retry=False)
    scenes.put_file(scene_id, image("a.jpg"))
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.error) == ("uploading", None)


def test_ready_scene_stays_ready_as_files_change(
    scenes: SceneStore, scene_id: str
) -> None:
    scenes.set_built(scene_id, built())
    scenes.put_file(scene_id, image("a.jpg"))
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert scene.state == "ready"


def test_unknown_scene(scenes: SceneStore) -> None:
    with pytest.raises(NotFound, match="there is no scene 'nowhere'"):
        scenes.put_file("nowhere", image("a.jpg"))
    assert scenes.files("nowhere") == []
