"""The crash trial: processes are killed while clients work; no promise is broken.

The gateway, the worker and the inspectors of a real server get SIGKILL at random
moments and at chosen ones, such as while a scene file is being stored. A killed gateway
is started again. Whatever was acknowledged must be there and be done in the end, and
nothing twice.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from trials.crash.invariants import Disk
from trials.crash.ledger import Books, Ledger
from trials.crash.report import Report
from trials.crash.service import PATIENCE_SECONDS, Service
from trials.crash.stories import FINAL, Client

DECK = ("gateway",) * 2 + ("worker",) * 3 + ("inspector",) * 2
"""Kinds in these shares; each seven kills have them all."""
STARTING = 0.2
"""Share of restarts in which the gateway is killed again while it starts."""
UNREADY = 0.3
"""Share of the kills that do not wait until the worker is ready."""
AIMS = (
    *("anything", "anything", "upload image", "upload dataset", "upload cameras"),
    *("submit build", "delete scene", "render", "upload scene file"),
    *("build: reading images", "build: prefill", "build: storing"),
    *("video: rendering", "video: storing"),
)
"""What a kill waits for, though not for long."""
AIM_SECONDS = 2.0
LOOK_SECONDS = 0.01
NUM_CLIENTS = 3
END_SECONDS = 600
"""Time for the jobs that are left when the kills are over."""


class Trial:
    """One run of the trial.

    Args:
        folder: Empty; everything is kept below it.
        seed: Of the clients' choices and of the kills.
        kills: How many.
        limit_seconds: No kill comes later.
    """

    def __init__(
        self, folder: Path, *, seed: int, kills: int, limit_seconds: float
    ) -> None:
        self._chance = random.Random(seed)
        self._num_kills = kills
        self._limit_seconds = limit_seconds
        self._service = Service(folder)
        self._disk = Disk(self._service.data_folder)
        self._ledger = Ledger()
        self._report = Report()
        self._pause = threading.Event()  # never set: its wait is a pause
        self._stop = threading.Event()
        self._clients = [
            Client(
                number,
                seed=seed,
                service=self._service,
                ledger=self._ledger,
                stop=self._stop,
            )
            for number in range(NUM_CLIENTS)
        ]

    def run(self) -> Report:
        """Run it to its end."""
        begun = time.monotonic()
        with ExitStack() as ends:
            ends.callback(self._service.close)
            ends.callback(self._stop.set)
            self._service.spawn()
            self._service.await_up()
            for client in self._clients:
                client.start()
            deck: list[str] = []
            while (
                self._report.kills.total() < self._num_kills
                and time.monotonic() - begun < self._limit_seconds
            ):
                if not deck:
                    deck = self._chance.sample(DECK, len(DECK))
                self._kill(deck.pop())
            self._end()
        self._report.seconds = time.monotonic() - begun
        self._report.violations = self._ledger.violations + self._service.complaints
        return self._report

    def _kill(self, kind: str) -> None:
        """Kill one process at some moment; put the server on its feet again."""
        if self._chance.random() > UNREADY:
            self._await_worker()
        self._pause.wait(self._chance.uniform(0.0, 0.5))
        phase = self._await(self._chance.choice(AIMS))
        self._pause.wait(self._chance.uniform(0.0, 0.05))
        pids = self._service.pids(kind)
        if not pids:
            return  # it is being restarted; the next card of the deck
        self._note(kind, phase)
        self._service.kill(kind, self._chance.choice(pids))
        while kind == "gateway":
            self._check_disk()
            self._service.spawn()
            if self._chance.random() > STARTING:
                self._service.await_up()
                break
            self._pause.wait(self._chance.uniform(0.0, self._service.start_seconds))
            self._note(kind, "starting")
            self._service.kill(kind, self._service.pids(kind)[0])

    def _note(self, kind: str, phase: str) -> None:
        self._report.kills[kind, phase] += 1
        total = self._report.kills.total()
        sys.stderr.write(f"{total:4d}  {kind}: {phase}\n")

    def _await_worker(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._service.is_ready():
            self._pause.wait(0.1)
            if time.monotonic() > deadline:
                self._ledger.violation("the worker does not come back")
                return

    def _await(self, aim: str) -> str:
        """Wait for what is aimed at, for a while; what is going on then."""
        deadline = time.monotonic() + AIM_SECONDS
        while True:
            going_on = self._disk.stages() + self._ledger.in_flight()
            if aim in going_on:
                return aim
            if aim == "anything" or time.monotonic() > deadline:
                return going_on[0] if going_on else "nothing"
            self._pause.wait(LOOK_SECONDS)

    def _check_disk(self) -> None:
        for problem in self._disk.problems(self._ledger.snapshot()):
            self._ledger.violation(f"{self._report.kills.total()} kills: {problem}")

    def _end(self) -> None:
        """Let what is left be done, stop the server, and look at everything."""
        self._stop.set()
        for client in self._clients:
            if not client.has_ended():
                self._ledger.violation(f"{client.name} is still waiting")
        books = self._ledger.snapshot()
        with httpx.Client(base_url=self._service.url, timeout=PATIENCE_SECONDS) as http:
            self._await_jobs(http, books)
            self._read_everything(http, books)
        self._report.exit_code = self._service.stop()
        self._disk.forget_checks()
        self._check_disk()
        swept = self._disk.sweep()
        self._report.swept = str(swept)
        if swept.missing_blobs:
            self._ledger.violation(f"missing after the sweep: {swept.missing_blobs}")
        left = self._disk.leftovers()
        left += self._service.temporary_files()
        if left:
            self._ledger.violation(f"files that nothing names are left: {left}")
        self._check_disk()
        self._report.books = self._ledger.snapshot()

    def _await_jobs(self, http: httpx.Client, books: Books) -> None:
        deadline = time.monotonic() + END_SECONDS
        for job_id, job in books.jobs.items():
            found = http.get(f"/v1/jobs/{job_id}").json()
            while found["state"] not in FINAL and time.monotonic() < deadline:
                self._pause.wait(0.2)
                found = http.get(f"/v1/jobs/{job_id}").json()
            self._ledger.job_ended(job_id, found["state"], found["attempts"])
            may_be_cancelled = books.scenes[job.scene_id].delete_asked
            if found["state"] != "succeeded" and not (
                may_be_cancelled and found["state"] == "cancelled"
            ):
                self._ledger.violation(
                    f"{job.kind} {job_id} {found['state']}: {found['error']}"
                )
            if found["state"] == "succeeded" and job.kind == "video":
                self._read_video(http, job_id, found, may_be_gone=may_be_cancelled)

    def _read_video(
        self,
        http: httpx.Client,
        job_id: str,
        found: dict[str, Any],
        *,
        may_be_gone: bool,
    ) -> None:
        answer = http.get(f"/v1/jobs/{job_id}/result")
        if answer.status_code == 404 and may_be_gone:
            return
        if len(answer.content) != found["result"]["num_bytes"]:
            self._ledger.violation(f"video {job_id}: {answer.status_code}, not whole")

    def _read_everything(self, http: httpx.Client, books: Books) -> None:
        """Every image of every scene, as the clients' next visit would find it."""
        for scene_id, scene in books.scenes.items():
            found = http.get(f"/v1/scenes/{scene_id}")
            if scene.deleted and found.status_code != 404:
                self._ledger.violation(f"the deleted scene {scene_id} is found")
            if scene.delete_asked:
                continue
            images = http.get(f"/v1/scenes/{scene_id}/images").json()["items"]
            for image in images:
                address = f"/v1/scenes/{scene_id}/images/{image['name']}"
                content = http.get(address).content
                if len(content) != image["num_bytes"]:
                    self._ledger.violation(f"{address} is not whole")
