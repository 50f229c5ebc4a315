from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nvs.errors import DatasetError
from nvs_server.compute.protocol import Cancelled, WorkerLost
from nvs_server.jobs import runner as runner_module
from nvs_server.jobs.progress import Report, job_changes
from nvs_server.jobs.runner import JobRunner
from nvs_server.metrics import Metrics
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.errors import StorageFull, StorageUnavailable
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import FileRecord, JobRecord
from nvs_server.storage.scenes import SceneStore
from tests.fakes.api import opencv, picture
from tests.fakes.backend import FakeBackend

OWNER = "ada"


class Clock:
    """The database's clock, which can be moved on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Gateway:
    """The parts of one gateway; several may share a database."""

    def __init__(self, folder: Path, clock: Clock, **settings: Any) -> None:
        self.backend = FakeBackend()
        self.database = Database(f"sqlite:///{folder}/nvs.sqlite", clock=clock)
        self.blobs = Blobs(folder / "blobs", folder / "cache", 2**20)
        self.scenes = SceneStore(self.database)
        self.jobs = JobStore(self.database, max_attempts=3)
        self.metrics = Metrics()
        self.runner = JobRunner(
            Settings(data_folder=folder, **settings),
            self.jobs,
            self.scenes,
            self.blobs,
            self.backend,
            self.metrics,
        )

    async def __aenter__(self) -> Gateway:
        await self.runner.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.stop()
        self.database.dispose()

    def scene(self, name: str = "chair") -> str:
        scene_id = self.scenes.create(OWNER, name).id
        for path, kind, data in (
            ("a.png", "image", picture()),
            ("opencv_cameras.json", "cameras", json.dumps(opencv("a.png")).encode()),
        ):
            self.scenes.put_file(
                scene_id,
                FileRecord(
                    path=path,
                    kind=kind,
                    sha256=self.blobs.put_bytes(data),
                    num_bytes=len(data),
                    height=16,
                    width=16,
                ),
            )
        return scene_id

    def submit(self, scene_id: str, key: str = "k", wake: bool = True) -> JobRecord:
        job, _ = self.jobs.submit(OWNER, scene_id, "build", {}, dedupe_key=key)
        if wake:
            self.runner.wake()
        return job

    async def ended(self, job: JobRecord) -> JobRecord:
        last = job
        async with asyncio.timeout(60):
            async for change in job_changes(
                self.jobs,
                self.runner.events,
                job,
                ended=asyncio.Event(),
                poll_seconds=0.05,
            ):
                last = change
        return last


Test = Callable[[Gateway], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs a coroutine function with a started gateway."""

    def begin(test: Test, **settings: Any) -> None:
        async def body() -> None:
            gateway = Gateway(tmp_path, Clock(), **settings)
            gateway.database.migrate()
            async with gateway:
                await test(gateway)

        asyncio.run(body())

    return begin


def test_a_job_starts_when_it_is_submitted(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when the queue is next looked at."""
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 1000.0)

    async def test(gateway: Gateway) -> None:
        first = await gateway.ended(gateway.submit(gateway.scene()))
        assert first.state == "succeeded"
        second = await gateway.ended(gateway.submit(gateway.scene()))
        assert second.state == "succeeded"

    run(test)


def test_a_job_starts_if_it_is_submitted_while_the_queue_is_looked_at(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if what does other jobs looks, finds nothing, and waits again meanwhile."""
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 1000.0)

    async def test(gateway: Gateway) -> None:
        loop, claim = asyncio.get_running_loop(), gateway.jobs.claim
        submitted: list[JobRecord] = []
        looked = threading.Event()

        def late(worker: str, seconds: float, kinds: Collection[JobKind]) -> Any:
            found = claim(worker, seconds, kinds)
            if "build" in kinds and not submitted:
                submitted.append(gateway.submit(gateway.scene(), wake=False))
                looked.clear()
                loop.call_soon_threadsafe(gateway.runner.wake)
                looked.wait(10)
            elif "pose" in kinds:
                looked.set()
            return found

        monkeypatch.setattr(gateway.jobs, "claim", late)
        gateway.runner.wake()
        while not submitted:
            await asyncio.sleep(0.01)
        assert (await gateway.ended(submitted[0])).state == "succeeded"

    run(test)


def test_jobs_of_other_gateways_are_found(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.01)

    async def test(gateway: Gateway) -> None:
        job = gateway.submit(gateway.scene(), wake=False)
        assert (await gateway.ended(job)).state == "succeeded"

    run(test)


def test_what_is_the_users_doing_is_not_tried_again(run: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        error = DatasetError("no two views agree", remedy="Look at them.")
        gateway.backend.errors["prepare"].append(error)
        ended = await gateway.ended(gateway.submit(gateway.scene()))
        assert (ended.state, ended.attempts) == ("failed", 1)
        assert ended.error is not None
        assert ended.error.problem == "no two views agree"
        await gateway.runner.stop()
        assert b'nvs_jobs_ended_total{kind="build",state="failed"} 1.0' in (
            gateway.metrics.text()
        )

    run(test)


def test_what_is_not_is(run: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.backend.errors["build"] += [
            WorkerLost("the worker stopped", remedy="Try again."),
            Cancelled("given up", remedy="Try again."),
        ]
        ended = await gateway.ended(gateway.submit(gateway.scene()))
        assert (ended.state, ended.attempts) == ("succeeded", 3)
        assert list(gateway.blobs.incoming().iterdir()) == []

    run(test)


def test_storage_that_does_not_answer_for_a_while(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.01)

    async def test(gateway: Gateway) -> None:
        claim, fail = gateway.jobs.claim, iter([StorageUnavailable("db", "gone")])

        def once_unavailable(*arguments: Any) -> Any:
            for error in fail:
                raise error
            return claim(*arguments)

        monkeypatch.setattr(gateway.jobs, "claim", once_unavailable)
        ended = await gateway.ended(gateway.submit(gateway.scene()))
        assert ended.state == "succeeded"

    run(test)


def test_a_result_that_cannot_be_recorded_is_made_again(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease runs out; the next attempt succeeds."""
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.02)

    async def test(gateway: Gateway) -> None:
        succeed, errors = gateway.jobs.succeed_build, iter([RuntimeError("crash")])

        def once_broken(*arguments: Any) -> bool:
            for error in errors:
                raise error
            return succeed(*arguments)

        monkeypatch.setattr(gateway.jobs, "succeed_build", once_broken)
        ended = await gateway.ended(gateway.submit(gateway.scene()))
        assert (ended.state, ended.attempts) == ("succeeded", 2)

    run(test, lease_seconds=0.3)


def test_heartbeats_keep_a_long_job(run: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.backend.hold("build")
        job = gateway.submit(gateway.scene())
        await gateway.backend.begun("build")
        seen = gateway.jobs.get(OWNER, job.id)
        assert seen is not None
        while True:
            now = gateway.jobs.get(OWNER, job.id)
            assert now is not None
            assert now.lease_expires_at is not None
            assert seen.lease_expires_at is not None
            if now.lease_expires_at > seen.lease_expires_at + timedelta(seconds=0.6):
                break
            await asyncio.sleep(0.02)
        assert gateway.jobs.claim("someone else", 1.0) is None
        assert (now.stage, now.progress) == ("prefill", pytest.approx(0.3))
        gateway.backend.let_go("build")
        ended = await gateway.ended(job)
        assert (ended.state, ended.attempts) == ("succeeded", 1)

    run(test, lease_seconds=0.6)


def test_a_cancel_elsewhere_is_learned_by_heartbeat(run: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.backend.hold("build")
        scene_id = gateway.scene()
        job = gateway.submit(scene_id)
        await gateway.backend.begun("build")
        gateway.jobs.cancel(OWNER, job.id)
        async with asyncio.timeout(30):
            while not gateway.backend.cancelled["build"]:
                await asyncio.sleep(0.01)
        ended = await gateway.ended(job)
        assert ended.state == "cancelled"
        scene = gateway.scenes.get(OWNER, scene_id)
        assert scene is not None
        assert scene.scene_sha256 is None

    run(test, lease_seconds=0.3)


def test_stopping_gives_jobs_back(run: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.backend.hold("build")
        job = gateway.submit(gateway.scene())
        await gateway.backend.begun("build")
        await gateway.runner.stop()
        again = gateway.jobs.get(OWNER, job.id)
        assert again is not None
        assert (again.state, again.attempts) == ("queued", 0)
        assert gateway.backend.cancelled["build"] == 1
        assert list(gateway.blobs.incoming().iterdir()) == []

    run(test)


def test_two_runners_share_a_queue(tmp_path: Path) -> None:
    """Every scene is built once, whoever takes it."""

    async def body() -> None:
        clock = Clock()
        one, two = Gateway(tmp_path, clock), Gateway(tmp_path, clock)
        one.database.migrate()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(one)
            await stack.enter_async_context(two)
            jobs = [one.submit(one.scene(str(index))) for index in range(8)]
            two.runner.wake()
            for job in jobs:
                assert (await one.ended(job)).state == "succeeded"
        built = one.backend.calls["build"] + two.backend.calls["build"]
        assert built == 8

    asyncio.run(body())


def test_a_runner_that_fell_silent_loses_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its late result is dropped; the other's counts."""
    failures = itertools.cycle(
        (StorageFull("the database"), StorageUnavailable("the database", "no network"))
    )

    def silent(*_: Any, **__: Any) -> bool:
        raise next(failures)

    async def body() -> None:
        clock = Clock()
        slow, fast = Gateway(tmp_path, clock), Gateway(tmp_path, clock)
        monkeypatch.setattr(slow.jobs, "heartbeat", silent)
        slow.database.migrate()
        async with slow:
            slow.backend.hold("build")
            scene_id = slow.scene()
            job = slow.submit(scene_id)
            await slow.backend.begun("build")
            clock.ahead = timedelta(seconds=120)
            async with fast:
                ended = await fast.ended(job)
                assert (ended.state, ended.attempts) == ("succeeded", 2)
            slow.backend.let_go("build")
            while slow.runner._running:
                await asyncio.sleep(0.01)
        final = slow.jobs.get(OWNER, job.id)
        assert final is not None
        assert final.revision == ended.revision

    asyncio.run(body())


def test_a_scene_deleted_under_a_build(run: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.backend.hold("build")
        scene_id = gateway.scene()
        job = gateway.submit(scene_id)
        await gateway.backend.begun("build")
        gateway.scenes.delete(OWNER, scene_id)
        gateway.backend.let_go("build")
        ended = await gateway.ended(job)
        assert ended.state == "cancelled"
        assert gateway.scenes.get(OWNER, scene_id) is None

    run(test)


def test_progress_never_goes_back() -> None:
    report = Report()
    seen: list[float] = []
    for stage, fraction in (
        ("reading images", 0.5),
        ("reading images", 7.0),
        ("prefill", 0.0),
        ("prefill", 0.5),
        ("prefill", -1.0),
        ("storing", 1.0),
    ):
        report(stage, fraction)
        seen.append(report.progress)
    assert seen == pytest.approx([0.15, 0.3, 0.3, 0.625, 0.625, 1.0])
    assert report.stage == "storing"


def test_nothing_is_told_after_the_end(run: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        gateway.backend.hold("build")
        job = gateway.submit(gateway.scene())
        ended = asyncio.Event()
        changes = job_changes(
            gateway.jobs, gateway.runner.events, job, ended=ended, poll_seconds=0.02
        )
        assert (await anext(changes)).state == "queued"
        ended.set()
        async for _ in changes:
            pass
        assert not gateway.runner.events._watchers

    run(test)
