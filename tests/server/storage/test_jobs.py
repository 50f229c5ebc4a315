from __future__ import annotations

from typing import Any

import pytest

from nvs.api.scenes import Failure
from nvs_server.storage.errors import (
    IdempotencyConflict,
    InvalidCursor,
    NotFound,
    QueueFull,
    QuotaExceeded,
)
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import JobCounts, JobRecord, VideoFile
from nvs_server.storage.scenes import SceneStore
from tests.server.storage.conftest import OWNER, Clock, at_once, built, digest, image

SIZE = {"size": 256}


def submit(
    jobs: JobStore, scene_id: str, dedupe_key: str = "k", **changes: Any
) -> tuple[JobRecord, bool]:
    given = {"owner": OWNER, "kind": "build", "parameters": SIZE} | changes
    return jobs.submit(
        given.pop("owner"),
        scene_id,
        given.pop("kind"),
        given.pop("parameters"),
        dedupe_key=dedupe_key,
        **given,
    )


def test_submitted_build_waits_and_its_scene_is_building(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    job, is_new = submit(jobs, scene_id)
    assert is_new
    assert jobs.get(OWNER, job.id) == job
    assert jobs.get("ben", job.id) is None
    assert (job.state, job.stage, job.progress) == ("queued", "waiting", 0.0)
    assert (job.parameters, job.attempts) == (SIZE, 0)
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.job_id) == ("building", job.id)
    assert jobs.counts() == JobCounts(queued=1, running=0)


def test_video_leaves_its_scene_ready(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    scenes.set_built(scene_id, built())
    submit(jobs, scene_id, kind="video")
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.job_id) == ("ready", None)


def test_scene_must_be_there_and_the_owner_s(jobs: JobStore, scene_id: str) -> None:
    for owner, wanted in (("ben", scene_id), (OWNER, "nowhere")):
        with pytest.raises(NotFound, match=f"there is no scene '{wanted}'"):
            submit(jobs, wanted, owner=owner)


def test_same_build_is_one_job_until_it_fails_or_is_cancelled(
    jobs: JobStore, scene_id: str
) -> None:
    job, _ = submit(jobs, scene_id)
    assert submit(jobs, scene_id)[0].id == job.id
    jobs.claim("w", 60)
    assert submit(jobs, scene_id) == (jobs.get(OWNER, job.id), False)
    jobs.fail(job.id, "w", Failure(problem="p", remedy="r"), retry=False)
    second, is_new = submit(jobs, scene_id)
    assert is_new
    jobs.cancel(OWNER, second.id)
    third, is_new = submit(jobs, scene_id)
    assert is_new
    jobs.claim("w", 60)
    assert jobs.succeed_build(third.id, "w", built())
    assert submit(jobs, scene_id) == (jobs.get(OWNER, third.id), False)


def test_other_scenes_and_parameters_are_other_jobs(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    other = scenes.create(OWNER, "other").id
    ids = {
        submit(jobs, scene_id)[0].id,
        submit(jobs, scene_id, "k2")[0].id,
        submit(jobs, other)[0].id,
    }
    assert len(ids) == 3


def test_success_no_longer_answers_once_another_build_follows(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    first, _ = submit(jobs, scene_id, "small")
    jobs.claim("w", 60)
    jobs.succeed_build(first.id, "w", built("small"))
    second, _ = submit(jobs, scene_id, "large")
    jobs.claim("w", 60)
    jobs.succeed_build(second.id, "w", built("large"))
    again, is_new = submit(jobs, scene_id, "small")
    assert is_new
    jobs.claim("w", 60)
    jobs.succeed_build(again.id, "w", built("small"))
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert scene.scene_sha256 == digest("small")


def test_success_no_longer_answers_once_a_scene_file_is_uploaded(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    submit(jobs, scene_id)
    job = jobs.claim("w", 60)
    assert job is not None
    jobs.succeed_build(job.id, "w", built())
    scenes.set_built(scene_id, built("uploaded"))
    assert submit(jobs, scene_id)[1]


def test_idempotency_key_gives_the_first_answer_for_ever(
    jobs: JobStore, scene_id: str
) -> None:
    job, _ = submit(jobs, scene_id, idempotency_key="mine")
    jobs.cancel(OWNER, job.id)
    assert submit(jobs, scene_id, idempotency_key="mine") == (
        jobs.get(OWNER, job.id),
        False,
    )
    assert submit(jobs, scene_id)[1]


def test_idempotency_key_remembers_a_job_it_did_not_make(
    jobs: JobStore, scene_id: str
) -> None:
    job, _ = submit(jobs, scene_id)
    for _ in range(2):
        found, is_new = submit(jobs, scene_id, idempotency_key="mine")
        assert (found.id, is_new) == (job.id, False)
    jobs.cancel(OWNER, job.id)
    assert submit(jobs, scene_id, idempotency_key="mine")[0].id == job.id


def test_idempotency_key_with_another_request_is_refused(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    job, _ = submit(jobs, scene_id, idempotency_key="mine")
    other = scenes.create(OWNER, "other").id
    changes: list[tuple[str, dict[str, Any]]] = [
        (other, {}),
        (scene_id, {"kind": "video"}),
        (scene_id, {"parameters": {"size": 512}}),
    ]
    for wanted, change in changes:
        with pytest.raises(IdempotencyConflict, match=f"'{job.id}'. Use a new key"):
            submit(jobs, wanted, idempotency_key="mine", **change)


def test_idempotency_keys_of_two_owners_do_not_meet(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    submit(jobs, scene_id, idempotency_key="mine")
    theirs = scenes.create("ben", "theirs").id
    assert submit(jobs, theirs, owner="ben", idempotency_key="mine")[1]


def test_full_queue(jobs: JobStore, scene_id: str) -> None:
    first, _ = submit(jobs, scene_id, "1", limit_queued=2)
    submit(jobs, scene_id, "2", limit_queued=2)
    with pytest.raises(QueueFull, match=r"2 jobs are waiting.*Try again later"):
        submit(jobs, scene_id, "3", limit_queued=2)
    assert not submit(jobs, scene_id, "1", limit_queued=2)[1]
    jobs.cancel(OWNER, first.id)
    assert submit(jobs, scene_id, "3", limit_queued=2)[1]


def test_builds_of_a_day(
    jobs: JobStore, scenes: SceneStore, scene_id: str, clock: Clock
) -> None:
    for key in "12":
        job, _ = submit(jobs, scene_id, key, limit_per_day=2)
        jobs.cancel(OWNER, job.id)
    assert scenes.usage(OWNER).builds_today == 2
    with pytest.raises(QuotaExceeded, match=r"2 builds per day .* after midnight UTC"):
        submit(jobs, scene_id, "3", limit_per_day=2)
    assert submit(jobs, scene_id, "v", kind="video", limit_per_day=0)[1]
    scenes.delete(OWNER, scene_id)
    assert scenes.usage(OWNER).builds_today == 2
    clock.advance(hours=12)
    assert scenes.usage(OWNER).builds_today == 0


def test_parallel_identical_submits_make_one_job(jobs: JobStore, scene_id: str) -> None:
    results = at_once(20, lambda _: submit(jobs, scene_id, idempotency_key="mine"))
    assert len({job.id for job, _ in results}) == 1
    assert sum(is_new for _, is_new in results) == 1
    assert jobs.counts() == JobCounts(queued=1, running=0)


@pytest.mark.parametrize("limit", ["limit_queued", "limit_per_day"])
def test_threads_do_not_exceed_the_limits(
    jobs: JobStore, scenes: SceneStore, limit: str
) -> None:
    ids = [scenes.create(OWNER, str(number)).id for number in range(20)]
    results = at_once(20, lambda i: submit(jobs, ids[i], **{limit: 6}))
    refused = [r for r in results if isinstance(r, QueueFull | QuotaExceeded)]
    assert len(refused) == 14
    assert jobs.counts().queued == 6


def test_pages_and_filters(jobs: JobStore, scenes: SceneStore, scene_id: str) -> None:
    other = scenes.create(OWNER, "other").id
    made = [submit(jobs, scene_id, str(number))[0] for number in range(3)]
    made.append(submit(jobs, other)[0])
    first, cursor = jobs.list(OWNER, limit=3)
    second, end = jobs.list(OWNER, limit=3, cursor=cursor)
    assert [job.id for job in first + second] == [job.id for job in made[::-1]]
    assert end is None
    assert jobs.list(OWNER, scene_id=other)[0] == [made[3]]
    jobs.cancel(OWNER, made[0].id)
    assert [job.id for job in jobs.list(OWNER, state="cancelled")[0]] == [made[0].id]
    assert jobs.list("ben") == ([], None)
    with pytest.raises(InvalidCursor):
        jobs.list(OWNER, cursor="next")


def test_cancel_frees_the_scene(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    scenes.put_file(scene_id, image("a.jpg"))
    waiting, _ = submit(jobs, scene_id, "1")
    running, _ = submit(jobs, scene_id, "2")
    cancelled = jobs.cancel(OWNER, waiting.id)
    assert (cancelled.state, cancelled.finished_at is None) == ("cancelled", False)
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert scene.state == "building"
    jobs.claim("w", 60)
    assert jobs.cancel(OWNER, running.id).state == "cancelled"
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert scene.state == "uploading"
    assert not jobs.heartbeat(running.id, "w", 60, stage="prefill", progress=0.5)
    assert not jobs.succeed_build(running.id, "w", built())
    assert jobs.cancel(OWNER, running.id) == jobs.get(OWNER, running.id)
    for owner, job_id in ((OWNER, "nowhere"), ("ben", waiting.id)):
        with pytest.raises(NotFound, match=f"there is no job '{job_id}'"):
            jobs.cancel(owner, job_id)


def test_jobs_of_a_deleted_scene_are_cancelled_and_still_told(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    scenes.set_built(scene_id, built())
    video, _ = submit(jobs, scene_id, "v", kind="video")
    jobs.claim("w", 60)
    result = VideoFile(
        sha256=digest("v"), num_bytes=7, num_frames=2, height=8, width=8, fps=30
    )
    assert jobs.succeed(video.id, "w", result)
    running, _ = submit(jobs, scene_id, "1")
    waiting, _ = submit(jobs, scene_id, "2")
    jobs.claim("w", 60)
    scenes.delete(OWNER, scene_id)
    assert not jobs.heartbeat(running.id, "w", 60, stage="prefill", progress=0.5)
    assert not jobs.succeed_build(running.id, "w", built())
    assert jobs.claim("w", 60) is None
    for job, state in (
        (running, "cancelled"),
        (waiting, "cancelled"),
        (video, "succeeded"),
    ):
        found = jobs.get(OWNER, job.id)
        assert found is not None
        assert (found.state, found.result_sha256) == (state, None)
    assert scenes.usage(OWNER).bytes == 0


def test_threads_deleting_cancelling_and_ending_do_not_block_each_other(
    jobs: JobStore, scenes: SceneStore
) -> None:
    ids = [scenes.create(OWNER, str(number)).id for number in range(5)]
    made = [submit(jobs, ids[i % 5], str(i))[0] for i in range(10)]
    claimed = [jobs.claim(f"w{i}", 60) for i in range(5)]

    def act(index: int) -> object:
        scene = index % 5
        job = claimed[scene]
        assert job is not None
        match index // 5:
            case 0:
                return scenes.delete(OWNER, ids[scene])
            case 1:
                return jobs.cancel(OWNER, made[index].id)
            case 2:
                return jobs.succeed_build(job.id, f"w{scene}", built())
            case _:
                return submit(jobs, ids[scene], f"more {index}")

    results = at_once(20, act)
    assert results[:5] == [True] * 5
    assert all(isinstance(result, bool | JobRecord) for result in results[:15])
    assert all(isinstance(result, tuple | NotFound) for result in results[15:])
    assert jobs.counts() == JobCounts(queued=0, running=0)


def test_an_owner_whose_bytes_are_used_up_gets_no_new_job(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    scenes.put_file(scene_id, image("more.png"))
    used = scenes.usage(OWNER).bytes
    with pytest.raises(QuotaExceeded, match=f"{used} bytes"):
        submit(jobs, scene_id, limit_bytes=used)
    known, _ = submit(jobs, scene_id, limit_bytes=used + 1)
    again, is_new = submit(jobs, scene_id, limit_bytes=used)
    assert (again.id, is_new) == (known.id, False)
