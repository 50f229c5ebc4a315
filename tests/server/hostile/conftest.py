"""The server under attack: what it must still be and do after each module of tests."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator

import httpx
import pytest

from nvs_server.logs import REDACTED
from tests.served import end, start
from tests.server.hostile.target import MAX_GROWTH_BYTES, Memory, Target, small_dataset

INSPECTOR_BYTES = 1024 * 2**20
SETTINGS = {
    "inspector_memory_bytes": INSPECTOR_BYTES,
    "max_image_bytes": "2MiB",
    "max_image_pixels": 4_000_000,
    "max_cameras_bytes": "2MiB",
    "max_dataset_bytes": "8MiB",
    "max_scene_file_bytes": "8MiB",
    "max_render_pixels": 256 * 256,
    "max_video_frames": 4,
    "max_job_queue": 4,
    "body_grace_seconds": 1,
    "rate_per_minute": 1_000_000,
}

log = logging.getLogger(__name__)


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server with small limits, two owners and a scene of the first that is ready."""
    served = start(tmp_path_factory.mktemp("hostile"), **SETTINGS)
    with contextlib.ExitStack() as stack:
        stack.callback(end, served)
        target = Target(served)
        stack.enter_context(target.client)
        target.key("owner", "ada")
        target.key("stranger", "eve")
        make_ready(target)
        yield target


def make_ready(target: Target) -> None:
    """Build a small scene and remember it and its job."""
    for name in ("scene_id", "scratch_id"):
        created = target.call("POST", "/v1/scenes", json={"name": name})
        setattr(target, name, created.json()["id"])
    sent = target.call(
        "PUT",
        f"/v1/scenes/{target.scene_id}/dataset",
        content=small_dataset(),
        headers={"Content-Type": "application/zip"},
    )
    assert sent.status_code == 200, sent.text
    job = target.call(
        "POST", f"/v1/scenes/{target.scene_id}/build", json={"size": 16}
    ).json()
    target.job_id = job["id"]
    last = watched(target, job["id"])
    assert last["state"] == "succeeded", last


def watched(target: Target, job_id: str, key: str = "owner") -> dict[str, object]:
    """The last state of a job, once it has one."""
    headers = {"Authorization": f"Bearer {target.secrets[key]}"}
    url = f"{target.served.base_url}/v1/jobs/{job_id}/events"
    last: dict[str, object] = {}
    with httpx.stream("GET", url, headers=headers, timeout=120) as events:
        for line in events.iter_lines():
            if line.startswith("data:"):
                last = json.loads(line.removeprefix("data:"))
    return last


@pytest.fixture(scope="module", autouse=True)
def unharmed(target: Target) -> Iterator[None]:
    """After a module of attacks: memory flat, still rendering, no secret in the log."""
    target.render()
    with Memory(target) as memory:
        yield
        picture = target.render()
    log.info("memory: %s", memory.report)
    assert picture.status_code == 200, picture.text
    assert memory.peak["gateway"] - memory.before["gateway"] < MAX_GROWTH_BYTES
    assert memory.peak["inspector"] < INSPECTOR_BYTES
    check_log(target)


def check_log(target: Target) -> None:
    """No secret, no header that carries one, no exception nobody expected."""
    text = "".join(target.served.lines)
    for name, secret in target.secrets.items():
        assert secret not in text, f"the key of {name} is in the log"
    for word in ("Authorization", "authorization", "Bearer", "ticket="):
        assert word not in text.replace(f"ticket={REDACTED}", ""), word
    unexpected = [one for one in target.served.log if one["event"] == "unhandled"]
    assert not unexpected, unexpected[0]
