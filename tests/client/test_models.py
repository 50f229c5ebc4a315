"""Answers become values; what is no answer of the service is said to be none."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from nvs.client import (
    AsyncClient,
    Client,
    FieldProblem,
    JobFailedError,
    ServiceAnswerError,
    ServiceError,
    models,
)
from nvs.client.decode import decoded_text
from nvs.errors import ConfigError

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"


def test_pages_become_one_list(service, client, fakes) -> None:
    scene = fakes.SCENE
    service.pages = {
        None: {"items": [scene, scene], "next_cursor": "c/1+2"},
        "c/1+2": {"items": [scene], "next_cursor": None},
    }
    assert len(list(client.scenes(tag="demo", state="ready"))) == 3
    assert service.requests[1].query["tag"] == ["demo"]
    assert service.requests[1].query["cursor"] == ["c/1+2"]


def test_times_are_utc(client) -> None:
    scene = client.scene(SCENE_ID)
    assert scene.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert scene.tags == ("demo",)


def test_times_go_out_with_their_zone(client, service) -> None:
    expires = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    client.create_scene("chair", expires_at=expires)
    sent = datetime.fromisoformat(service.requests[-1].json["expires_at"])
    assert sent == expires


def test_an_update_sends_what_is_given(client, service) -> None:
    client.update_scene(SCENE_ID, name="red chair")
    assert service.requests[-1].json == {"name": "red chair"}
    client.update_scene(SCENE_ID, tags=[], expires_at=None)
    assert service.requests[-1].json == {"tags": [], "expires_at": None}


def test_the_service_about_itself(call) -> None:
    assert call("me").quotas.builds_per_day == 5
    assert call("models")[0].patch_size == 8
    assert call("capacity").workers[0].state == "ready"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<html>", "Expecting value"),
        ("[]", "Me is no object"),
        ('{"ticket": "a"}', "owner is missing"),
        ('{"owner": 3}', r"Me\.owner is 3"),
    ],
)
def test_answers_of_something_else(text: str, problem: str) -> None:
    with pytest.raises(ServiceAnswerError, match=problem):
        decoded_text(models.Me, text)


def test_inputs_have_cameras_to_render_from() -> None:
    camera = {"world_from_camera": [[1.0]], "fx": 8, "fy": 8.0, "cx": 4.0, "cy": 4.0}
    one = {"index": 0, "name": "a.png", "camera": camera, "height": 8, "width": 8}
    inputs = decoded_text(models.Inputs, json.dumps({"items": [one]}))
    assert inputs.items[0].camera.world_from_camera == [[1.0]]
    assert isinstance(inputs.items[0].camera.fx, float)


def test_fields_of_a_newer_service_are_passed_over() -> None:
    text = '{"ticket": "a", "expires_in_seconds": 30, "colour": "red"}'
    assert decoded_text(models.Ticket, text).ticket == "a"


def test_a_page_of_a_proxy_is_an_error_with_a_remedy(
    client, service, fakes, monkeypatch
) -> None:
    def page(handler, status: int, headers: object) -> None:
        handler._send(b"<html>", "text/html", status)

    service.faults = [fakes.Fault("GET .*", status=418)]
    monkeypatch.setattr(fakes.Handler, "_problem", page)
    with pytest.raises(ServiceError, match=r"answered 418 .*Check the address"):
        client.me()


def test_errors_survive_a_process(fakes) -> None:
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
    failed = JobFailedError(decoded_text(models.Job, fakes.json.dumps(fakes.JOB)))
    assert pickle.loads(pickle.dumps(failed)).job.id == failed.job.id


@pytest.mark.parametrize("server", ["", "chair", "ftp://a", "http://", "http://a/?b=1"])
def test_addresses_that_are_none(server: str) -> None:
    with pytest.raises(ConfigError, match="the server is"):
        Client(server)


def test_keys_that_are_none() -> None:
    with pytest.raises(ConfigError, match="the key has characters") as info:
        Client(key="nvs_\n")
    assert "nvs_" not in str(info.value)


def test_both_clients_offer_the_same() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(one) for one in inspect.signature(method).parameters.values()]
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_") and name not in ("close", "aclose")
        }

    assert methods(Client) == methods(AsyncClient)


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [
        (models.Scene, "scenes", "Scene"),
        (models.ImageFile, "scenes", "ImageFile"),
        (models.CamerasReport, "scenes", "CamerasReport"),
        (models.Finding, "scenes", "Finding"),
        (models.Validation, "scenes", "Validation"),
        (models.Input, "scenes", "Input"),
        (models.Job, "jobs", "Job"),
        (models.Me, "system", "Me"),
        (models.Quotas, "system", "Quotas"),
        (models.Usage, "system", "Usage"),
        (models.Model, "system", "Model"),
        (models.Capacity, "system", "Capacity"),
        (models.Worker, "system", "Worker"),
        (models.Queue, "system", "Queue"),
        (models.CacheTier, "system", "CacheTier"),
        (models.Ticket, "system", "Ticket"),
    ],
)
def test_models_have_the_fields_of_the_service(kind: type, module: str, name: str):
    schemas = pytest.importorskip(f"nvs.api.{module}")
    fields = {field.name for field in dataclasses.fields(kind)}
    assert fields == set(getattr(schemas, name).model_fields)


def test_the_client_needs_neither_torch_nor_the_server() -> None:
    code = (
        "import sys, nvs.client; "
        "print([name for name in ('torch', 'pydantic', 'nvs_server', 'websockets') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_missing_package_is_named() -> None:
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'httpx' else find(name, *a)\n"
        "import nvs.client"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'lact-nvs[client]'" in done.stderr
