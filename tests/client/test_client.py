"""Both clients: lists page by page, signatures, threads, Ctrl-C, ends without close."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pydoc
import signal
import subprocess
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from nvs.client import (
    AsyncClient,
    Client,
    Job,
    ServiceUnreachableError,
    connection,
)
from tests.fakes.backend import EXPECTATION, HELD_OUT, SCENE_MAGIC
from tests.fakes.service import OWNER, UNLIMITED

EVENTS = "GET .*/events"


@pytest.fixture
def held(service) -> str:
    """A job that does not end by itself."""
    service.hold("build")
    return service.build(service.uploaded()).json()["id"]


@pytest.fixture
def three(service, monkeypatch: pytest.MonkeyPatch) -> str:
    """The tag of three scenes, of which a page holds two."""
    monkeypatch.setattr(connection, "PAGE_SIZE", 2)
    tag = f"c/1+2 {uuid.uuid4()}"
    for _ in range(3):
        service.make(tags=[tag])
    return tag


@pytest.fixture
def running(service) -> Callable[[str], subprocess.Popen[str]]:
    """Starts a program in which `client` is a client of the service."""

    def start(code: str) -> subprocess.Popen[str]:
        lines = f"from nvs.client import Client\nclient = Client({service.url!r})\n"
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", lines + code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_pages_become_one_list(client, service, three) -> None:
    found = list(client.scenes(tag=three, state="empty"))
    assert len({scene.id for scene in found}) == len(found) == 3
    first, second = service.proxy.requests
    assert first.query["tag"] == second.query["tag"] == [three]
    assert "cursor" in second.query


def test_a_page_is_fetched_when_it_is_needed(client, service, three) -> None:
    scenes = client.scenes(tag=three)
    assert not service.proxy.requests
    next(scenes), next(scenes)
    assert len(service.proxy.requests) == 1
    next(scenes)
    assert len(service.proxy.requests) == 2
    assert not list(scenes)


def test_a_list_that_is_left_is_no_trouble(service, three) -> None:
    with Client(service.url) as client:
        scenes = client.scenes(tag=three)
        next(scenes)
    del scenes, client
    gc.collect()


def test_times_are_utc(client, scene_id: str) -> None:
    scene = client.scene(scene_id)
    assert scene.created_at.tzinfo == UTC
    assert abs(datetime.now(UTC) - scene.created_at) < timedelta(minutes=5)


def test_times_go_out_with_their_zone(client, service) -> None:
    expires = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    client.create_scene("chair", expires_at=expires)
    sent = datetime.fromisoformat(service.proxy.requests[-1].json["expires_at"])
    assert sent == expires


def test_an_update_sends_what_is_given(client, service, scene_id: str) -> None:
    client.update_scene(scene_id, name="red chair")
    assert service.proxy.requests[-1].json == {"name": "red chair"}
    client.update_scene(scene_id, up=(0, -1, 0))
    assert service.proxy.requests[-1].json == {"up": [0, -1, 0]}
    client.update_scene(scene_id, tags=[], expires_at=None)
    assert service.proxy.requests[-1].json == {"tags": [], "expires_at": None}


def test_what_to_expect_and_what_came_of_views_kept_out(
    client, service, tmp_path: Path
) -> None:
    scene_id = service.uploaded()
    wanted = {"framing": "object", "up": (0, -1, 0), "holdout": 2}
    assert client.expectation(scene_id, **wanted) == EXPECTATION
    sent = {"framing": "object", "up": [0, -1, 0], "holdout": 2}
    assert service.proxy.requests[-1].json == sent
    assert client.validation(scene_id, weights="fake").expectation == EXPECTATION
    job = client.build(scene_id, **wanted)
    assert service.proxy.requests_of("POST .*/build")[-1].json == sent
    assert job.result["held_out"] == HELD_OUT.model_dump(mode="json")
    assert client.scene(scene_id).held_out == HELD_OUT
    client.download_held_out(scene_id, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes() == b"a sheet"


def test_the_service_about_itself(call) -> None:
    assert call("me").quotas.builds_per_day == UNLIMITED["quota_builds_per_day"]
    assert call("models")[0].patch_size == 8
    assert call("capacity").workers[0].state == "ready"


def test_both_clients_offer_the_same() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(one) for one in inspect.signature(method).parameters.values()]
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_") and name not in ("close", "aclose")
        }

    assert methods(Client) == methods(AsyncClient)


def test_help_shows_the_real_signatures() -> None:
    assert "build(self, scene_id: 'str', *, weights: 'str | None'" in pydoc.plain(
        pydoc.render_doc(Client)
    )
    for kind in (Client, AsyncClient):
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            assert name.startswith("_") or method.__doc__, name


def test_progress_is_told_in_the_thread_that_waits(client, service) -> None:
    seen: list[tuple[threading.Thread, str]] = []

    def tell(job: Job) -> None:
        seen.append((threading.current_thread(), client.scene(job.scene_id).name))

    client.build(service.uploaded(), on_progress=tell)
    assert set(seen) == {(threading.current_thread(), "chair")}


def test_what_progress_raises_ends_the_call(
    client, service, tmp_path: Path, scene_id: str
) -> None:
    service.store(scene_id, SCENE_MAGIC + bytes(2**22))

    def tell(done: int, total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.download_scene(scene_id, tmp_path / "a.scene", on_progress=tell)
    assert list(tmp_path.iterdir()) == []
    assert client.me().owner == OWNER


def test_threads_share_a_client(client, service, scene_id: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(lambda _: client.scene(scene_id).name, range(100)))
    assert names == ["chair"] * 100
    assert len(service.proxy.requests) == 100


def test_it_may_be_used_inside_a_running_loop(service) -> None:
    async def run() -> str:
        with Client(service.url) as client:
            return client.me().owner

    assert asyncio.run(run()) == OWNER


def test_a_closed_client_says_so(service) -> None:
    client = Client(service.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.me()


def test_closing_breaks_off_what_runs(service, held) -> None:
    client = Client(service.url)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.wait, held)
        service.proxy.await_request(EVENTS)
        client.close()
        with pytest.raises((RuntimeError, ServiceUnreachableError)):
            waiting.result(60)


def thread_of(client: Client) -> threading.Thread:
    ident = client._loop._thread_id
    return next(one for one in threading.enumerate() if one.ident == ident)


def test_a_client_that_is_dropped_ends_its_thread(service) -> None:
    client = Client(service.url)
    client.me()
    thread, there = thread_of(client), weakref.ref(client)
    del client
    gc.collect()
    assert there() is None
    assert not thread.is_alive()


def test_a_client_may_be_dropped_in_its_own_thread(service) -> None:
    client = Client(service.url)
    client.me()
    thread = thread_of(client)
    client._loop.run(_finalized, client._finalize)
    thread.join(60)
    assert not thread.is_alive()


async def _finalized(finalize: Callable[[], Any]) -> None:
    finalize()


def test_a_program_ends_without_closing(
    running, service, tmp_path: Path, scene_id: str
) -> None:
    start = time.monotonic()
    process = running(
        f"client.download_scene({scene_id!r}, {str(tmp_path / 'a.scene')!r})\n"
        f"client.upload_scene_file({scene_id!r}, {str(tmp_path / 'a.scene')!r})\n"
        "print(client.me().owner)"
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"{OWNER}\n", "")
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("form", ["with client: ", ""])
def test_ctrl_c_ends_a_wait_at_once(running, service, held, form: str) -> None:
    process = running(f"{form}client.wait({held!r})")
    service.proxy.await_request(EVENTS)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - start < 5
    assert process.returncode in (-signal.SIGINT, 130)
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in err


def test_after_ctrl_c_the_client_goes_on(running, service, held) -> None:
    process = running(
        "try:\n"
        f"    client.wait({held!r})\n"
        "except KeyboardInterrupt:\n"
        "    print(client.me().owner)"
    )
    service.proxy.await_request(EVENTS)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"{OWNER}\n", "")


def test_the_client_needs_neither_torch_nor_the_server() -> None:
    code = (
        "import sys, nvs.client; "
        "print([name for name in ('torch', 'nvs_server', 'websockets') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("package", ["httpx", "httpx_sse", "pydantic", "tenacity"])
def test_a_missing_package_is_named(package: str) -> None:
    code = f"import sys; sys.modules['{package}'] = None\nimport nvs.client"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"the package '{package}'" in done.stderr
    assert "pip install -e '.[client]'" in done.stderr
