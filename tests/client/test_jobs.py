"""Waiting for jobs: by events, and by asking where those break off."""

from __future__ import annotations

import pytest

from nvs.client import Job, JobFailedError, ServiceError, jobs
from nvs.errors import ImageError
from tests.fakes.proxy import Fault

EVENTS = "GET .*/events"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.001)


@pytest.fixture
def scene_id(service) -> str:
    """A scene that can be built."""
    return service.uploaded()


def test_events_tell_each_change(call, service, scene_id) -> None:
    service.hold("build")
    seen: list[Job] = []

    def tell(job: Job) -> None:
        seen.append(job)
        if job.stage == "prefill":
            service.let_go("build")

    job = call("build", scene_id, size=64, on_progress=tell)
    assert job.state == "succeeded"
    states = [one.state for one in seen]
    assert list(dict.fromkeys(states)) == ["queued", "running", "succeeded"]
    assert {"prefill", "storing"} <= {one.stage for one in seen}
    progress = [one.progress for one in seen]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    assert not service.proxy.requests_of("GET /v1/jobs/[^/]*")
    assert service.proxy.requests[0].json == {"size": 64, "framing": "auto"}


def test_a_broken_stream_is_followed_by_another(call, service, scene_id) -> None:
    service.proxy.faults = [Fault(pattern=EVENTS, after_bytes=300)]
    service.hold("build")

    def tell(job: Job) -> None:
        if len(service.proxy.requests_of(EVENTS)) == 2:
            service.let_go("build")

    assert call("build", scene_id, on_progress=tell).state == "succeeded"
    assert len(service.proxy.requests_of(EVENTS)) == 2


def test_without_events_it_asks(call, service, scene_id) -> None:
    service.proxy.faults = [Fault(pattern=EVENTS, status=404)] * 9
    service.hold("build")
    seen: list[Job] = []

    def tell(job: Job) -> None:
        seen.append(job)
        if len(seen) == 6:
            service.let_go("build")

    assert call("build", scene_id, on_progress=tell).state == "succeeded"
    assert seen[-1].state == "succeeded"
    assert len(service.proxy.requests_of("GET /v1/jobs/[^/]*")) == len(seen) - 1
    assert len(service.proxy.requests_of(EVENTS)) == jobs.MAX_EVENT_FAILURES


def test_a_failed_build_raises_what_the_service_says(call, service, scene_id) -> None:
    error = ImageError("image 3 is damaged", remedy="Upload it again.")
    service.backend.errors["prepare"] = [error]
    with pytest.raises(JobFailedError, match=r"image 3 is damaged\. Upload it") as info:
        call("build", scene_id)
    assert info.value.job.state == "failed"


def test_a_cancelled_job_raises(call, client, service, scene_id) -> None:
    service.hold("build")
    job = client.build(scene_id, wait=False)
    client.cancel_job(job.id)
    with pytest.raises(JobFailedError, match="was cancelled"):
        call("wait", job.id)


def test_an_unknown_job(call) -> None:
    with pytest.raises(ServiceError, match="no job"):
        call("wait", "a" * 26)


@pytest.mark.parametrize(
    ("views", "sent"),
    [([0, 1], {"indices": [0, 1]}), ({"count": 2}, {"count": 2})],
)
def test_views(client, service, scene_id, views: object, sent: object) -> None:
    client.build(scene_id, views=views, size=(64, 96), wait=False)
    body = service.proxy.requests[-1].json
    assert body == {"views": sent, "size": [64, 96], "framing": "auto"}


def test_video(client, service) -> None:
    orbit = {"kind": "orbit", "num_frames": 5}
    client.render_video(service.stored(), orbit, height=64, width=96, fps=12.5)
    sent = service.proxy.requests[0].json
    assert sent == {"trajectory": orbit, "height": 64, "width": 96, "fps": 12.5}
