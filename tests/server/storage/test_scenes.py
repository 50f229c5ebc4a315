from __future__ import annotations

from datetime import timedelta

import pytest

from nvs.api.scenes import Failure
from nvs.api.system import Usage
from nvs_server.storage.errors import (
    IdempotencyConflict,
    InvalidCursor,
    NotFound,
    QuotaExceeded,
    SceneBusy,
)
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.scenes import SceneStore
from tests.server.storage.conftest import (
    OWNER,
    Clock,
    at_once,
    built,
    cameras,
    digest,
    image,
)


def test_new_scene_is_empty_and_its_owner_s_alone(scenes: SceneStore) -> None:
    made = scenes.create(OWNER, "chair", ["red", "old", "red"])
    assert scenes.get(OWNER, made.id) == made
    assert (made.state, made.tags, made.num_images) == ("empty", ["red", "old"], 0)
    assert len(made.id) == 26
    assert scenes.get("ben", made.id) is None
    assert scenes.list("ben") == ([], None)
    assert not scenes.delete("ben", made.id)
    with pytest.raises(NotFound, match=f"there is no scene '{made.id}'"):
        scenes.update("ben", made.id, name="mine")


def test_an_idempotency_key_makes_one_scene(scenes: SceneStore) -> None:
    asked = {"name": "chair", "tags": ["red"], "idempotency_key": "mine"}
    made = at_once(8, lambda _: scenes.create(OWNER, limit_scenes=1, **asked))
    assert [one.id for one in made] == [made[0].id] * 8
    theirs = scenes.create("ben", **asked)
    assert theirs.id != made[0].id
    for change in ({"name": "table"}, {"tags": []}, {"idempotency_key": "other"}):
        kind = QuotaExceeded if "idempotency_key" in change else IdempotencyConflict
        with pytest.raises(kind):
            scenes.create(OWNER, limit_scenes=1, **asked | change)
    scenes.update(OWNER, made[0].id, name="my chair")
    assert scenes.create(OWNER, **asked).name == "my chair"


def test_an_idempotency_key_is_good_for_as_long_as_its_scene(
    scenes: SceneStore, clock: Clock
) -> None:
    first = scenes.create(OWNER, "chair", idempotency_key="mine")
    scenes.delete(OWNER, first.id)
    soon = clock() + timedelta(hours=1)
    second = scenes.create(OWNER, "chair", expires_at=soon, idempotency_key="mine")
    again = scenes.create(OWNER, "chair", expires_at=soon, idempotency_key="mine")
    assert first.id != second.id == again.id
    clock.advance(hours=2)
    third = scenes.create(OWNER, "table", idempotency_key="mine")
    assert scenes.get(OWNER, third.id) == third


def test_update_changes_what_is_given(scenes: SceneStore, clock: Clock) -> None:
    expires_at = clock() + timedelta(days=1)
    made = scenes.create(OWNER, "chair", ["red"], expires_at)
    renamed = scenes.update(OWNER, made.id, name="table")
    assert (renamed.name, renamed.tags) == ("table", ["red"])
    assert renamed.expires_at == expires_at
    assert renamed.updated_at > made.updated_at
    cleared = scenes.update(OWNER, made.id, tags=["new", "red"], expires_at=None)
    assert (cleared.name, cleared.tags) == ("table", ["new", "red"])
    assert cleared.expires_at is None
    assert scenes.get(OWNER, made.id) == cleared


def test_pages_hold_each_scene_once_newest_first(scenes: SceneStore) -> None:
    made = [scenes.create(OWNER, str(number)) for number in range(5)]
    first, cursor = scenes.list(OWNER, limit=2)
    scenes.delete(OWNER, first[-1].id)  # the one that the cursor was made of
    scenes.create(OWNER, "newer")
    second, cursor = scenes.list(OWNER, limit=2, cursor=cursor)
    third, end = scenes.list(OWNER, limit=2, cursor=cursor)
    assert first + second + third == made[::-1]
    assert end is None


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "1-" + "a" * 25, "1-" + "a" * 26 + "\n", "9" * 18 + "-" + "a" * 26],
)
def test_foreign_cursor_is_refused(scenes: SceneStore, cursor: str) -> None:
    with pytest.raises(InvalidCursor, match="Pass next_cursor of the last page"):
        scenes.list(OWNER, cursor=cursor)


def test_list_by_tag_and_state(scenes: SceneStore) -> None:
    red = scenes.create(OWNER, "a", ["red"])
    both = scenes.create(OWNER, "b", ["blue", "red"])
    scenes.create(OWNER, "c")
    scenes.put_file(red.id, image("a.jpg"))
    assert [s.id for s in scenes.list(OWNER, tag="red")[0]] == [both.id, red.id]
    assert [s.id for s in scenes.list(OWNER, state="uploading")[0]] == [red.id]
    assert scenes.list(OWNER, tag="red", state="ready") == ([], None)


def test_deleted_scene_is_gone(scenes: SceneStore, scene_id: str) -> None:
    scenes.put_file(scene_id, image("a.jpg"))
    scenes.set_built(scene_id, built())
    assert scenes.delete(OWNER, scene_id)
    assert not scenes.delete(OWNER, scene_id)
    assert scenes.get(OWNER, scene_id) is None
    assert scenes.files(scene_id) == []
    assert scenes.inputs(scene_id) == []
    with pytest.raises(NotFound):
        scenes.put_file(scene_id, image("a.jpg"))
    assert scenes.usage(OWNER) == Usage(scenes=0, bytes=0, builds_today=0)


def test_expired_scene_is_gone_at_once(scenes: SceneStore, clock: Clock) -> None:
    made = scenes.create(OWNER, "chair", expires_at=clock() + timedelta(hours=1))
    kept = scenes.create(OWNER, "kept", expires_at=clock() + timedelta(hours=2))
    assert scenes.delete_expired() == []
    clock.advance(hours=1)
    assert scenes.get(OWNER, made.id) is None
    assert scenes.list(OWNER)[0] == [kept]
    assert scenes.usage(OWNER).scenes == 1
    with pytest.raises(NotFound):
        scenes.put_file(made.id, image("a.jpg"))
    with pytest.raises(NotFound):
        scenes.update(OWNER, made.id, expires_at=None)
    assert scenes.delete_expired() == [made.id]
    assert scenes.delete_expired() == []


def test_quota_of_scenes(scenes: SceneStore) -> None:
    first = scenes.create(OWNER, "a", limit_scenes=1)
    scenes.create("ben", "b", limit_scenes=1)
    with pytest.raises(QuotaExceeded, match=r"quota of 1 scenes .* 1 in use") as caught:
        scenes.create(OWNER, "c", limit_scenes=1)
    assert (caught.value.quota, caught.value.limit, caught.value.used) == (
        "scenes",
        1,
        1,
    )
    scenes.delete(OWNER, first.id)
    scenes.create(OWNER, "c", limit_scenes=1)


def test_threads_do_not_exceed_the_quota_of_scenes(scenes: SceneStore) -> None:
    results = at_once(20, lambda i: scenes.create(OWNER, str(i), limit_scenes=7))
    refused = [result for result in results if isinstance(result, QuotaExceeded)]
    assert len(refused) == 13
    assert scenes.usage(OWNER).scenes == 7
    assert len(scenes.list(OWNER)[0]) == 7


def test_uploaded_scene_file_makes_it_ready(scenes: SceneStore, scene_id: str) -> None:
    made = scenes.set_built(scene_id, built())
    assert made == scenes.get(OWNER, scene_id)
    assert (made.state, made.scene_sha256, made.scene_bytes) == (
        "ready",
        digest("scene"),
        1000,
    )
    assert (made.height, made.width, made.num_views) == (256, 384, 2)
    assert scenes.inputs(scene_id) == list(built().inputs)
    scenes.set_built(scene_id, built("other"))
    assert scenes.inputs(scene_id) == list(built("other").inputs)


def test_scene_file_counts_for_the_quota(scenes: SceneStore, scene_id: str) -> None:
    scenes.put_file(scene_id, image("a.jpg", 100))
    with pytest.raises(QuotaExceeded, match="1099 bytes does not allow this: 100 in"):
        scenes.set_built(scene_id, built(num_bytes=1000), limit_bytes=1099)
    assert scenes.inputs(scene_id) == []
    scenes.set_built(scene_id, built(num_bytes=1000), limit_bytes=1100)
    scenes.set_built(scene_id, built("new", num_bytes=1000), limit_bytes=1100)
    assert scenes.usage(OWNER).bytes == 1100


def test_damaged_scene_file_is_forgotten_and_built_anew(
    scenes: SceneStore, jobs: JobStore, scene_id: str
) -> None:
    job, _ = jobs.submit(OWNER, scene_id, "build", {}, dedupe_key="k")
    jobs.claim("w", 60)
    assert jobs.succeed_build(job.id, "w", built())
    error = Failure(problem="damaged", remedy="wait")
    assert not scenes.lose_file(scene_id, "f" * 64, error)
    assert scenes.lose_file(scene_id, built().file.sha256, error)
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.scene_sha256, scene.error) == ("failed", None, error)
    assert scenes.inputs(scene_id) == []
    again, is_new = jobs.submit(OWNER, scene_id, "build", {}, dedupe_key="k")
    assert is_new
    assert again.id != job.id


def test_scene_file_cannot_be_uploaded_during_a_build(
    scenes: SceneStore, jobs: JobStore, scene_id: str
) -> None:
    scenes.put_file(scene_id, cameras())
    jobs.submit(OWNER, scene_id, "build", {}, dedupe_key="k")
    with pytest.raises(SceneBusy, match=r"is being built. Wait for its build"):
        scenes.set_built(scene_id, built())
