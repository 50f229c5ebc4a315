"""Clients that use the server as people do, and do not give up while it is away."""

from __future__ import annotations

import io
import random
import threading
import traceback
import uuid
from typing import Any

import httpx
from PIL import Image

from trials.crash import material
from trials.crash.ledger import Ledger
from trials.crash.service import PATIENCE_SECONDS, Service

FINAL = ("succeeded", "failed", "cancelled")
PAUSE_SECONDS = 0.3
CAMERA = {"eye": [2.5, 0.0, 1.0], "target": [0, 0, 0], "vertical_fov_degrees": 50}
PICTURE = {"camera": CAMERA, "height": material.SIDE_PX, "width": material.SIDE_PX}


class Stopped(Exception):  # noqa: N818 - not an error
    """The trial is over."""


class Refused(Exception):  # noqa: N818 - noted already
    """An answer that no crash explains."""


class Client:
    """Lives through one story after another until `stop` is set.

    Args:
        number: Which client.
        seed: Of its choices.
        service: The server.
        ledger: Where it notes what it asked and was told.
        stop: Set at the end.
    """

    def __init__(
        self,
        number: int,
        *,
        seed: int,
        service: Service,
        ledger: Ledger,
        stop: threading.Event,
    ) -> None:
        self.name = f"client {number}"
        self._chance = random.Random(f"{seed} {number}")
        self._service = service
        self._ledger = ledger
        self._stop = stop
        self._thread = threading.Thread(target=self._live, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def has_ended(self) -> bool:
        """Whether it has ended; waits for it if it is about to."""
        self._thread.join(PATIENCE_SECONDS)
        return not self._thread.is_alive()

    def _live(self) -> None:
        with httpx.Client(
            base_url=self._service.url, timeout=PATIENCE_SECONDS
        ) as self._http:
            while not self._stop.is_set():
                try:
                    self._story()
                except Stopped:
                    return
                except Refused:
                    continue
                except Exception:  # noqa: BLE001 - a finding like any other
                    self._ledger.violation(traceback.format_exc())

    def _story(self) -> None:
        scene_id = self._make_scene()
        self._upload(scene_id)
        if self._happens(0.1):
            self._delete(scene_id)
            return
        key = str(uuid.uuid4())
        job_id = self._submit("build", scene_id, {"size": material.SIDE_PX}, key)
        if self._happens(0.15):
            self._delete(scene_id)
            return
        if self._happens(0.3):
            self._submit("build", scene_id, {"size": material.SIDE_PX}, key)
        if self._happens(0.2):
            return
        self._await(job_id)
        for _ in range(self._chance.randint(1, 3)):
            self._render(scene_id)
        if self._happens(0.6):
            self._film(scene_id)
        if self._happens(0.2):
            self._copy(scene_id)
        if self._happens(0.4):
            self._delete(scene_id)

    def _upload(self, scene_id: str) -> None:
        capture = material.capture(self._chance, self._chance.randint(3, 5))
        if self._happens(0.4):
            files = material.digests(capture.files)
            self._ledger.files_asked(scene_id, lambda _: files)
            self._ask(
                *("upload dataset", "PUT", f"/v1/scenes/{scene_id}/dataset"),
                content=capture.zipped(),
                headers={"Content-Type": "application/zip"},
            )
            self._ledger.files_changed(scene_id)
            return
        for path, data in capture.images.items():
            self._put_image(scene_id, path, data)
        self._ledger.files_asked(
            scene_id,
            lambda files: (
                {**files, material.CAMERAS: material.digest(capture.cameras)}
            ),
        )
        self._ask(
            *("upload cameras", "PUT", f"/v1/scenes/{scene_id}/cameras"),
            content=capture.cameras,
            headers={"Content-Type": "application/json"},
        )
        self._ledger.files_changed(scene_id)
        path = next(iter(capture.images))
        if self._happens(0.3):
            self._put_image(scene_id, path, material.picture(self._chance))
        if self._happens(0.2):
            self._put_image(scene_id, "more.png", material.picture(self._chance))
            self._delete_image(scene_id, "more.png")

    def _put_image(self, scene_id: str, path: str, data: bytes) -> None:
        sha256 = material.digest(data)
        self._ledger.files_asked(scene_id, lambda files: {**files, path: sha256})
        answer = self._ask(
            *("upload image", "PUT", f"/v1/scenes/{scene_id}/images/{path}"),
            content=data,
            headers={"Content-Type": "image/png"},
        )
        if answer.json()["sha256"] != sha256:
            self._ledger.violation(f"{path}: acknowledged with another digest")
        self._ledger.files_changed(scene_id)

    def _delete_image(self, scene_id: str, path: str) -> None:
        self._ledger.files_asked(
            scene_id, lambda files: {p: d for p, d in files.items() if p != path}
        )
        address = f"/v1/scenes/{scene_id}/images/{path}"
        self._ask("delete image", "DELETE", address, gone_is_fine=True)
        self._ledger.files_changed(scene_id)

    def _delete(self, scene_id: str) -> None:
        self._ledger.delete_asked(scene_id)
        address = f"/v1/scenes/{scene_id}"
        self._ask("delete scene", "DELETE", address, gone_is_fine=True)
        self._ledger.deleted(scene_id)

    def _submit(self, kind: str, scene_id: str, order: dict[str, Any], key: str) -> str:
        path = {"build": "build", "video": "videos"}[kind]
        answer = self._ask(
            *(f"submit {kind}", "POST", f"/v1/scenes/{scene_id}/{path}"),
            json=order,
            headers={"Idempotency-Key": key},
        )
        job_id = answer.json()["id"]
        self._ledger.job_taken(job_id, kind, scene_id, key)
        return job_id

    def _await(self, job_id: str) -> None:
        while True:
            job = self._ask("read", "GET", f"/v1/jobs/{job_id}").json()
            if job["state"] in FINAL:
                break
            self._pause()
        self._ledger.job_ended(job_id, job["state"], job["attempts"])
        if job["state"] != "succeeded":
            self._ledger.violation(f"job {job_id} {job['state']}: {job['error']}")
            raise Refused

    def _render(self, scene_id: str) -> None:
        address = f"/v1/scenes/{scene_id}/render"
        answer = self._ask("render", "POST", address, json=PICTURE)
        with Image.open(io.BytesIO(answer.content)) as image:
            image.load()
        if image.size != (material.SIDE_PX, material.SIDE_PX):
            self._ledger.violation(f"a picture of {image.size} was rendered")

    def _film(self, scene_id: str) -> None:
        order: dict[str, Any] = {
            "trajectory": {"kind": "orbit", "num_frames": self._chance.randint(4, 16)},
            "height": material.SIDE_PX,
            "width": material.SIDE_PX,
        }
        if self._happens(0.3):
            order["trajectory"] = {"kind": "walk", "num_frames": 4}
        job_id = self._submit("video", scene_id, order, str(uuid.uuid4()))
        if self._happens(0.7):
            self._await(job_id)
            self._ask("read", "GET", f"/v1/jobs/{job_id}/result")

    def _copy(self, scene_id: str) -> None:
        """Give a scene's file to another scene."""
        file = self._ask("read", "GET", f"/v1/scenes/{scene_id}/file")
        if file.headers["ETag"] != f'"{material.digest(file.content)}"':
            self._ledger.violation(f"the file of scene {scene_id} is not its ETag")
        other_id = self._make_scene()
        self._ask(
            *("upload scene file", "PUT", f"/v1/scenes/{other_id}/file"),
            content=file.content,
            headers={"Content-Type": "application/octet-stream"},
        )
        self._render(other_id)

    def _make_scene(self) -> str:
        """A scene; each attempt has a name of its own, for none may be repeated."""
        while True:
            name = str(uuid.uuid4())
            self._ledger.scene_asked(name)
            answer = self._try("make scene", "POST", "/v1/scenes", json={"name": name})
            if answer is not None:
                scene_id = answer.json()["id"]
                self._ledger.scene_made(scene_id, name)
                return scene_id

    def _ask(self, kind: str, method: str, path: str, **request: Any) -> httpx.Response:
        """The answer; asked again while the server is away."""
        while True:
            answer = self._try(kind, method, path, **request)
            if answer is not None:
                return answer

    def _try(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        gone_is_fine: bool = False,
        **request: Any,
    ) -> httpx.Response | None:
        """The answer, or None if the server went away or says to come back."""
        while not self._service.up.wait(PAUSE_SECONDS):
            self._check_stop()
        self._check_stop()
        try:
            with self._ledger.request(kind):
                answer = self._http.request(method, path, **request)
        except httpx.TransportError:
            self._pause()
            return None
        if answer.is_success or (gone_is_fine and answer.status_code == 404):
            self._ledger.answered(kind)
            return answer
        if _is_passing(answer):
            self._pause()
            return None
        self._ledger.violation(f"{kind}: {answer.status_code} {answer.text[:500]}")
        raise Refused

    def _pause(self) -> None:
        self._stop.wait(PAUSE_SECONDS)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability


def _is_passing(answer: httpx.Response) -> bool:
    """Whether the answer is the one that a lost process is to give."""
    return (
        answer.status_code == 503
        and "Retry-After" in answer.headers
        and (answer.json()["type"].rpartition("/")[2] == "worker-lost")
    )
