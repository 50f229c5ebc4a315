"""Calls that are made again, and those that must not be."""

from __future__ import annotations

import random
import time
from email.utils import formatdate

import pytest

from nvs.client import Client, Retries, ServiceError, ServiceUnreachableError
from nvs.client.retries import exchange
from nvs.client.steps import Attempt, Call, Sleep
from nvs.errors import ConfigError, NvsError

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(call, service, fakes, status: int) -> None:
    service.faults = [fakes.Fault("GET .*", status=status)] * 3
    assert call("scene", SCENE_ID).name == "chair"
    assert len(service.requests) == 4


def test_a_broken_connection_is_made_again(call, service, fakes) -> None:
    service.faults = [fakes.Fault("GET .*")] * 2
    assert call("scene", SCENE_ID).name == "chair"


def test_attempts_end(call, service, fakes) -> None:
    service.faults = [fakes.Fault("GET .*", status=503)] * 20
    with pytest.raises(ServiceError, match=r"503 \(request r1\)\. Come back") as info:
        call("scene", SCENE_ID)
    assert info.value.status == 503
    assert len(service.requests) == Retries().num_attempts


def test_other_refusals_are_final(call, service, fakes) -> None:
    service.faults = [fakes.Fault("GET .*", status=422)]
    with pytest.raises(
        ServiceError, match=r"refused with 422 \(camera.eye: is NaN"
    ) as e:
        call("scene", SCENE_ID)
    assert (e.value.field, e.value.slug) == ("camera.eye", "test")
    assert e.value.fields[0].remedy == "Give numbers."
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("method", "argument", "options"),
    [("create_scene", "chair", {}), ("build", SCENE_ID, {"wait": False})],
)
def test_what_is_made_carries_one_key_over_all_attempts(
    call, service, fakes, method: str, argument: str, options: dict[str, bool]
) -> None:
    service.faults = [fakes.Fault("POST .*"), fakes.Fault("POST .*", status=503)]
    call(method, argument, **options)
    call(method, argument, **options)
    keys = [one.headers["idempotency-key"] for one in service.requests]
    assert len(keys) == 4
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_nobody_there(service, fakes) -> None:
    with fakes.running() as gone:
        url = gone.url
    retries = Retries(num_attempts=2, first_seconds=0.001)
    with (
        Client(url, retries=retries) as client,
        pytest.raises(ServiceUnreachableError, match="Check that the server runs"),
    ):
        client.me()


def _pauses(fakes, service, retries: Retries, num_faults: int) -> list[float]:
    """The pauses that the policy asks for, without making them."""
    import httpx

    pauses: list[float] = []
    with httpx.Client(base_url=service.url) as http:
        flow = exchange(Call(method="GET", path="/v1/me"), retries)
        step = next(flow)
        while True:
            if isinstance(step, Sleep):
                pauses.append(step.seconds)
                result = None
            else:
                assert isinstance(step, Attempt)
                result = http.get(step.call.path)
            try:
                step = flow.send(result)
            except (StopIteration, NvsError):
                return pauses


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_in_full(service, fakes, form: str) -> None:
    text = "7" if form == "seconds" else formatdate(time.time() + 7, usegmt=True)
    fault = fakes.Fault("GET .*", status=429, headers={"Retry-After": text})
    service.faults = [fault] * 2
    pauses = _pauses(fakes, service, Retries(first_seconds=0.5), 2)
    assert len(pauses) == 2
    assert all(5 <= pause <= 7.5 for pause in pauses)


def test_a_retry_after_of_an_hour_is_told_instead(service, fakes) -> None:
    fault = fakes.Fault("GET .*", status=503, headers={"Retry-After": "3600"})
    service.faults = [fault]
    assert _pauses(fakes, service, Retries(), 1) == []


def test_pauses_double_up_to_a_bound() -> None:
    random.seed(0)
    retries = Retries(first_seconds=1, longest_seconds=8)
    for num_failed, steady in ((1, 1), (2, 2), (3, 4), (4, 8), (9, 8)):
        pauses = [retries.pause_seconds(num_failed, None) for _ in range(50)]
        assert all(steady / 2 <= pause <= steady for pause in pauses)
        assert max(pauses) > min(pauses)


def test_a_policy_needs_an_attempt() -> None:
    with pytest.raises(ConfigError, match="num_attempts is 0"):
        Retries(num_attempts=0)
