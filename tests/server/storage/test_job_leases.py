from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nvs.api.scenes import Failure
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import JobCounts, JobRecord, VideoFile
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.tables import JobRow
from tests.server.storage.conftest import OWNER, Clock, at_once, built, digest

ERROR = Failure(problem="out of memory", remedy="use fewer views")


def submit(jobs: JobStore, scene_id: str, key: str = "k") -> JobRecord:
    return jobs.submit(OWNER, scene_id, "build", {}, dedupe_key=key)[0]


def reload(jobs: JobStore, job: JobRecord) -> JobRecord:
    found = jobs.get(OWNER, job.id)
    assert found is not None
    return found


def test_oldest_is_claimed_first_and_once(jobs: JobStore, scene_id: str) -> None:
    made = [submit(jobs, scene_id, key) for key in "abc"]
    claimed = [jobs.claim(f"w{number}", 60) for number in range(4)]
    assert [job and job.id for job in claimed] == [*[job.id for job in made], None]
    first = claimed[0]
    assert first == reload(jobs, made[0])
    assert (first.state, first.worker, first.attempts) == ("running", "w0", 1)
    assert jobs.counts() == JobCounts(queued=0, running=3)


def test_threads_claim_each_job_once(jobs: JobStore, scene_id: str) -> None:
    made = {submit(jobs, scene_id, str(number)).id for number in range(12)}
    results = at_once(20, lambda i: jobs.claim(f"w{i}", 60))
    claimed = [job.id for job in results if isinstance(job, JobRecord)]
    assert len(claimed) == 12
    assert set(claimed) == made
    assert results.count(None) == 8


def test_heartbeat_keeps_the_lease_and_reports(
    jobs: JobStore, scene_id: str, clock: Clock
) -> None:
    job = submit(jobs, scene_id)
    jobs.claim("w", 60)
    clock.advance(seconds=50)
    assert jobs.heartbeat(job.id, "w", 60, stage="prefill", progress=0.25)
    clock.advance(seconds=50)
    assert jobs.claim("other", 60) is None
    found = reload(jobs, job)
    assert (found.stage, found.progress) == ("prefill", 0.25)
    assert not jobs.heartbeat(job.id, "other", 60, stage="prefill", progress=0.5)
    assert not jobs.heartbeat("nowhere", "w", 60, stage="prefill", progress=0.5)


def test_revision_grows_with_what_is_seen(jobs: JobStore, scene_id: str) -> None:
    job = submit(jobs, scene_id)
    jobs.claim("w", 60)
    jobs.heartbeat(job.id, "w", 60, stage="prefill", progress=0.5)
    jobs.heartbeat(job.id, "w", 60, stage="prefill", progress=0.5)
    assert reload(jobs, job).revision == 3
    jobs.succeed_build(job.id, "w", built())
    found = reload(jobs, job)
    assert (found.revision, found.progress, found.is_final) == (4, 1.0, True)


def test_lost_lease_goes_to_another_worker(
    jobs: JobStore, scenes: SceneStore, scene_id: str, clock: Clock
) -> None:
    job = submit(jobs, scene_id)
    jobs.claim("lost", 60)
    clock.advance(seconds=61)
    taken = jobs.claim("w", 60)
    assert taken is not None
    assert (taken.id, taken.worker, taken.attempts) == (job.id, "w", 2)
    assert not jobs.heartbeat(job.id, "lost", 60, stage="prefill", progress=0.9)
    assert not jobs.succeed_build(job.id, "lost", built("late"))
    assert not jobs.fail(job.id, "lost", ERROR, retry=False)
    assert jobs.release("lost") == 0
    assert reload(jobs, job) == taken
    assert jobs.succeed_build(job.id, "w", built())
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert scene.scene_sha256 == digest("scene")


def test_late_worker_keeps_a_job_that_nobody_else_took(
    jobs: JobStore, scene_id: str, clock: Clock
) -> None:
    job = submit(jobs, scene_id)
    jobs.claim("w", 60)
    clock.advance(hours=1)
    assert jobs.heartbeat(job.id, "w", 60, stage="prefill", progress=0.9)
    assert jobs.claim("other", 60) is None


def test_job_whose_workers_are_lost_fails_at_last(
    jobs: JobStore, scenes: SceneStore, scene_id: str, clock: Clock
) -> None:
    job = submit(jobs, scene_id)
    for number in range(3):
        assert jobs.claim(f"w{number}", 60) is not None
        clock.advance(seconds=61)
    waiting = submit(jobs, scene_id, "next")
    claimed = jobs.claim("w", 60)
    assert claimed is not None
    assert claimed.id == waiting.id
    failed = reload(jobs, job)
    assert (failed.state, failed.attempts) == ("failed", 3)
    assert failed.error is not None
    assert failed.error.problem == "the worker was lost 3 times at this job"
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.error) == ("building", None)


def test_success_of_a_build_is_the_scene_s_too(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    job = submit(jobs, scene_id)
    jobs.claim("w", 60)
    assert jobs.succeed_build(job.id, "w", built())
    assert not jobs.succeed_build(job.id, "w", built("twice"))
    done = reload(jobs, job)
    assert (done.state, done.worker, done.lease_expires_at) == ("succeeded", None, None)
    assert done.result == {
        "num_bytes": 1000,
        "height": 256,
        "width": 384,
        "num_views": 2,
    }
    assert done.result_sha256 is None
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.scene_sha256) == ("ready", digest("scene"))
    assert scenes.inputs(scene_id) == list(built().inputs)


def test_failed_success_changes_neither_job_nor_scene(
    jobs: JobStore,
    scenes: SceneStore,
    scene_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit(jobs, scene_id)
    claimed = jobs.claim("w", 60)

    def fail(*_: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("nvs_server.storage.rows.settle", fail)
    with pytest.raises(OSError, match="power cut"):
        jobs.succeed_build(job.id, "w", built())
    assert reload(jobs, job) == claimed
    assert scenes.inputs(scene_id) == []


def test_build_submitted_earlier_does_not_replace_a_later_one_s_file(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    early, late = submit(jobs, scene_id, "early"), submit(jobs, scene_id, "late")
    jobs.claim("slow", 60)
    jobs.claim("fast", 60)
    assert jobs.succeed_build(late.id, "fast", built("late"))
    assert jobs.succeed_build(early.id, "slow", built("early"))
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.scene_sha256) == ("ready", digest("late"))


def test_success_of_a_video(jobs: JobStore, scenes: SceneStore, scene_id: str) -> None:
    scenes.set_built(scene_id, built())
    job, _ = jobs.submit(OWNER, scene_id, "video", {"fps": 30}, dedupe_key="v")
    jobs.claim("w", 60)
    result = VideoFile(
        sha256=digest("v"), num_bytes=77, num_frames=60, height=8, width=8, fps=30
    )
    assert not jobs.succeed(job.id, "other", result)
    assert jobs.succeed(job.id, "w", result)
    done = reload(jobs, job)
    size = {"height": 8, "width": 8}
    assert done.result == {"num_bytes": 77, "num_frames": 60, "fps": 30} | size
    assert done.result_sha256 == digest("v")
    assert scenes.usage(OWNER).bytes == 1077


def test_failure_is_tried_again_while_tries_are_left(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    job = submit(jobs, scene_id)
    for attempt in (1, 2):
        jobs.claim("w", 60)
        jobs.heartbeat(job.id, "w", 60, stage="prefill", progress=0.5)
        assert jobs.fail(job.id, "w", ERROR, retry=True)
        again = reload(jobs, job)
        assert (again.state, again.attempts) == ("queued", attempt)
        assert (again.stage, again.progress, again.error) == ("waiting", 0.0, None)
    jobs.claim("w", 60)
    assert jobs.fail(job.id, "w", ERROR, retry=True)
    failed = reload(jobs, job)
    assert (failed.state, failed.error) == ("failed", ERROR)
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.error) == ("failed", ERROR)


def test_failed_rebuild_leaves_the_earlier_file(
    jobs: JobStore, scenes: SceneStore, scene_id: str
) -> None:
    scenes.set_built(scene_id, built())
    job = submit(jobs, scene_id)
    jobs.claim("w", 60)
    jobs.fail(job.id, "w", ERROR, retry=False)
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert (scene.state, scene.error) == ("ready", ERROR)
    assert scene.scene_sha256 == digest("scene")


def test_release_queues_again_without_counting(jobs: JobStore, scene_id: str) -> None:
    made = [submit(jobs, scene_id, key) for key in "ab"]
    for _ in made:
        jobs.claim("w", 60)
    jobs.cancel(OWNER, made[1].id)
    assert jobs.release("w") == 1
    again = jobs.claim("other", 60)
    assert again is not None
    assert (again.id, again.attempts) == (made[0].id, 1)


def test_eta_is_the_time_left_at_the_pace_so_far() -> None:
    started_at = datetime.now(UTC) - timedelta(seconds=10)
    running = JobRow(state="running", progress=0.25, started_at=started_at)
    assert running.eta_seconds == pytest.approx(30.0, abs=1)
    assert (
        JobRow(state="running", progress=0, started_at=started_at).eta_seconds is None
    )
    queued = JobRow(state="queued", progress=0, started_at=None)
    assert queued.eta_seconds is None
