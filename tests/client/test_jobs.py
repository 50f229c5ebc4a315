"""Waiting for jobs: by events, and by asking where those break off."""

from __future__ import annotations

import pytest

from nvs.client import Job, JobFailedError, ServiceError, jobs

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"
RUNNING = {"state": "running", "stage": "prefill", "progress": 0.5}
DONE = {"state": "succeeded", "stage": "storing", "progress": 1.0}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.001)


def test_events_tell_each_change(call, service) -> None:
    service.job_states = [{}, RUNNING, {"progress": 0.75}, DONE]
    seen: list[Job] = []
    job = call("build", SCENE_ID, size=64, on_progress=seen.append)
    assert job.state == "succeeded"
    assert [one.progress for one in seen] == [0.0, 0.5, 0.75, 1.0]
    assert not service.requests_of("GET /v1/jobs/[^/]*")
    assert service.requests[0].json == {"size": 64, "framing": "auto"}


def test_a_broken_stream_is_followed_by_another(call, service) -> None:
    service.job_states = [{}, RUNNING, {"break": True}, {}, {"progress": 0.75}, DONE]
    assert call("build", SCENE_ID).state == "succeeded"
    assert len(service.requests_of(".*/events")) == 2


def test_without_events_it_asks(call, service) -> None:
    service.events_work = False
    service.job_states = [{}, RUNNING, {}, {}, {}, {}, DONE]
    seen: list[str] = []
    job = call("build", SCENE_ID, on_progress=lambda job: seen.append(job.state))
    assert job.state == "succeeded"
    assert seen == ["queued", *["running"] * 5, "succeeded"]
    assert len(service.requests_of(".*/events")) == jobs.MAX_EVENT_FAILURES


def test_a_failed_build_raises_what_the_service_says(call, service) -> None:
    error = {"problem": "image 3 is damaged", "remedy": "Upload it again."}
    service.job_states = [{}, {"state": "failed", "error": error}]
    with pytest.raises(JobFailedError, match=r"image 3 is damaged\. Upload it") as info:
        call("build", SCENE_ID)
    assert info.value.job.state == "failed"


def test_a_cancelled_job_raises(call, service) -> None:
    service.job_states = [{"state": "cancelled"}]
    with pytest.raises(JobFailedError, match="was cancelled"):
        call("wait", service.job["id"])


def test_an_unknown_job(call, service, fakes) -> None:
    service.faults = [fakes.Fault("GET .*", status=404)] * 2
    with pytest.raises(ServiceError, match="404"):
        call("wait", service.job["id"])


@pytest.mark.parametrize(
    ("views", "sent"),
    [([0, 3], {"indices": [0, 3]}), ({"count": 4}, {"count": 4})],
)
def test_views(client, service, views: object, sent: object) -> None:
    client.build(SCENE_ID, views=views, size=(64, 96), wait=False)
    body = service.requests[-1].json
    assert body == {"views": sent, "size": [64, 96], "framing": "auto"}


def test_video(client, service) -> None:
    service.job_states = [{"kind": "video"}, DONE]
    orbit = {"kind": "orbit", "num_frames": 5}
    client.render_video(SCENE_ID, orbit, height=64, width=96, fps=12.5)
    sent = service.requests[0].json
    assert sent == {"trajectory": orbit, "height": 64, "width": 96, "fps": 12.5}
