"""Calls that are made again, those that must not be, and what answers may be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import random
import threading
import time
from contextlib import closing
from email.utils import formatdate

import httpx
import pytest

from nvs.api.cameras import IDENTITY
from nvs.api.jobs import JOB_EXAMPLE
from nvs.api.scenes import Inputs
from nvs.client import (
    Client,
    FieldProblem,
    Job,
    JobFailedError,
    Me,
    Retries,
    ServiceAnswerError,
    ServiceError,
    ServiceUnreachableError,
)
from nvs.client.errors import error_of
from nvs.client.transport import parsed
from nvs.errors import ConfigError, NvsError
from nvs_server.serve import bind, url_of
from tests.fakes.proxy import Fault

ME = Me.model_config["json_schema_extra"]["examples"][0]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(call, service, status: int) -> None:
    service.proxy.faults = [Fault(pattern="GET .*", status=status)] * 3
    assert call("me").owner == "local"
    assert len(service.proxy.requests) == 4


def test_a_broken_connection_is_made_again(call, service) -> None:
    service.proxy.faults = [Fault(pattern="GET .*")] * 2
    assert call("me").owner == "local"


def test_attempts_end(call, service) -> None:
    service.proxy.faults = [Fault(pattern="GET .*", status=503)] * 20
    with pytest.raises(ServiceError, match=r"503 \(request r1\)\. Come back") as info:
        call("me")
    assert info.value.status == 503
    assert len(service.proxy.requests) == Retries().num_attempts


def test_other_refusals_are_final(call, service) -> None:
    service.proxy.faults = [Fault(pattern="GET .*", status=422)]
    with pytest.raises(
        ServiceError, match=r"refused with 422 \(camera.eye: is NaN"
    ) as e:
        call("me")
    assert (e.value.field, e.value.slug) == ("camera.eye", "test")
    assert e.value.fields[0].remedy == "Give numbers."
    assert len(service.proxy.requests) == 1


@pytest.mark.parametrize(
    ("method", "argument", "options"),
    [("create_scene", "chair", {}), ("build", None, {"wait": False})],
)
def test_what_is_made_carries_one_key_over_all_attempts(
    call, service, method: str, argument: str | None, options: dict[str, bool]
) -> None:
    argument = argument or service.uploaded()
    service.proxy.faults = [
        Fault(pattern="POST .*"),
        Fault(pattern="POST .*", status=503),
    ]
    call(method, argument, **options)
    call(method, argument, **options)
    keys = [one.headers["idempotency-key"] for one in service.proxy.requests]
    assert len(keys) == 4
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_nobody_there() -> None:
    with closing(bind("127.0.0.1", 0)) as listener:
        url = url_of(listener)
    retries = Retries(num_attempts=2, first_seconds=0.001)
    with (
        Client(url, retries=retries) as client,
        pytest.raises(ServiceUnreachableError, match="Check that the server runs"),
    ):
        client.me()


def _pauses(
    monkeypatch: pytest.MonkeyPatch, retries: Retries, failures: list[Exception]
) -> list[float]:
    """The pauses that the policy makes after these failures, without waiting."""
    pauses: list[float] = []
    left = [*failures]
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if threading.current_thread() is threading.main_thread():
            pauses.append(seconds)
        else:
            await really(seconds)  # the service's, which goes on meanwhile

    async def attempt() -> None:
        if left:
            raise left.pop(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with contextlib.suppress(NvsError):
        asyncio.run(retries.repeated(attempt))
    return pauses


def _busy(retry_after: str | None = None) -> ServiceError:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    request = httpx.Request("GET", "http://service.example")
    return error_of(httpx.Response(429, headers=headers, request=request))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_in_full(monkeypatch, form: str) -> None:
    text = "7" if form == "seconds" else formatdate(time.time() + 7, usegmt=True)
    pauses = _pauses(monkeypatch, Retries(first_seconds=0.5), [_busy(text)] * 2)
    assert len(pauses) == 2
    assert all(5 <= pause <= 7.5 for pause in pauses)


def test_a_retry_after_of_an_hour_is_told_instead(monkeypatch) -> None:
    assert _pauses(monkeypatch, Retries(), [_busy("3600")]) == []


def test_pauses_double_up_to_a_bound(monkeypatch) -> None:
    random.seed(0)
    retries = Retries(num_attempts=9, first_seconds=1, longest_seconds=8)
    runs = [_pauses(monkeypatch, retries, [_busy()] * 9) for _ in range(50)]
    for pauses, steady in zip(
        zip(*runs, strict=True), [1, 2, 4] + [8] * 5, strict=True
    ):
        assert all(steady / 2 <= pause <= steady for pause in pauses)
        assert max(pauses) > min(pauses)


def test_attempts_are_counted_anew_after_progress() -> None:
    done = 0

    async def attempt() -> int:
        nonlocal done
        done += 1
        if done < 20:
            raise ServiceUnreachableError("broken", remedy="Wait.")
        return done

    retries = Retries(num_attempts=2, first_seconds=0)
    assert asyncio.run(retries.repeated(attempt, lambda: done)) == 20


def test_a_policy_needs_an_attempt() -> None:
    with pytest.raises(ConfigError, match="num_attempts is 0"):
        Retries(num_attempts=0)


@pytest.mark.parametrize("server", ["", "chair", "ftp://a", "http://", "http://a/?b=1"])
def test_addresses_that_are_none(server: str) -> None:
    with pytest.raises(ConfigError, match="the server is"):
        Client(server)


def test_keys_that_are_none() -> None:
    with pytest.raises(ConfigError, match="the key has characters") as info:
        Client(key="nvs_\n")
    assert "nvs_" not in str(info.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<html>", r"answer with a Me \(Invalid JSON"),
        ("[]", "should be an object"),
        ('{"ticket": "a"}', "owner: Field required"),
        (json.dumps(ME | {"owner": 3}), "owner: Input should be a valid string"),
        (json.dumps(ME | {"usage": {"scenes": "many"}}), r"usage\.scenes: "),
    ],
)
def test_answers_of_something_else(text: str, problem: str) -> None:
    with pytest.raises(ServiceAnswerError, match=problem):
        parsed(Me, text)


def test_fields_of_a_newer_service_are_passed_over_at_every_level() -> None:
    usage = ME["usage"] | {"minutes": 3}
    assert parsed(Me, json.dumps(ME | {"colour": "red", "usage": usage})) == Me(**ME)


def test_inputs_have_cameras_to_render_from() -> None:
    camera = {"fx": 8, "fy": 8.0, "cx": 4.0, "cy": 4.0, "lens": "wide"}
    camera["world_from_camera"] = IDENTITY
    one = {"index": 0, "name": "a.png", "camera": camera, "height": 8, "width": 8}
    (found,) = parsed(Inputs, json.dumps({"items": [one]})).items
    assert found.camera.scaled(height=2, width=2).cy == 8
    assert isinstance(found.camera.fx, float)


def test_a_page_of_a_proxy_is_an_error_with_a_remedy(client, service) -> None:
    service.proxy.faults = [Fault(pattern="GET .*", status=418, page=b"<html>")]
    with pytest.raises(ServiceError, match=r"answered 418 .*Check the address"):
        client.me()


def test_errors_survive_a_process() -> None:
    error = ServiceError(
        "no",
        remedy="Yes.",
        status=422,
        slug="invalid",
        fields=(FieldProblem(field="size", problem="odd", remedy="Even."),),
        request_id="r1",
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.status, copy.field, copy.request_id) == (422, "size", "r1")
    assert str(copy) == "no. Yes."
    failed = JobFailedError(Job.model_validate(JOB_EXAMPLE))
    assert pickle.loads(pickle.dumps(failed)).job == failed.job


def test_a_key_is_sent(service) -> None:
    with Client(service.url, key=service.key()) as client:
        assert client.me().key_name == "laptop"
    assert service.proxy.requests[-1].headers["user-agent"].startswith("lact-nvs/")
