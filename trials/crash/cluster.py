"""Faults of a Ray cluster: `python -m trials.crash.cluster --seed 1 --kills 30`.

A head without room for workers, two nodes with a replica of two processes each, and a
gateway, all on one machine. While clients render and have scenes built, SIGKILL comes
at random moments for a replica or both, for one of the processes that build together,
for a node, and for the head and all nodes. Whatever ends of the cluster is started
again, as something that supervises services would. No build that was acknowledged may
fail, no picture may differ from the first one by a bit, and no answer may be other than
200, 429 or 503.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil

from nvs.assets import SAMPLE
from nvs.client import Client
from tests.served import Served, end, start
from trials.load.report import Outcome, quantile

DECK = ("replica", "replica", "both replicas", "member", "member", "node", "head")
"""Kinds in these shares; each seven kills have them all."""
NUM_CLIENTS = 4
PAUSE_SECONDS = (0.0, 4.0)
"""Between a recovery and the next kill: at times not all is back."""
SUPERVISOR_SECONDS = 1.0
"""Before what ended is started again."""
RECOVERY_SECONDS = 300.0
END_SECONDS = 600.0
"""Time for the builds that are left when the kills are over."""
ACTOR = "ray::Replica"
OBJECT_BYTES = 80 * 2**20
RAY = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block")
LOOK_AT = {"eye": [2.5, 0, 1], "target": [0, 0, 0], "vertical_fov_degrees": 50}
PICTURE = {"camera": LOOK_AT, "height": 64, "width": 64, "format": "float32"}
BUILD = {"size": 64, "views": {"indices": [0, 3, 6, 9]}}
ALLOWED = {200, 429, 503}


class Part:
    """`ray start --block` of a node, started again whenever it ends.

    Args:
        log: File for what it says.
        arguments: Of `ray start`.
    """

    def __init__(self, log: Path, *arguments: str) -> None:
        self._log = log
        self._command = (*RAY, *arguments, f"--object-store-memory={OBJECT_BYTES}")
        self._is_over = threading.Event()
        self._process = self._spawn()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def find(self, *kinds: str) -> list[psutil.Process]:
        """Processes whose command line has one of these words."""
        found: list[psutil.Process] = []
        for process in self._processes():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue  # it has just ended
            if any(kind in line for kind in kinds):
                found.append(process)
        return found

    def end(self) -> None:
        self._is_over.set()
        for process in self._processes():
            process.kill()
        self._supervisor.join()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdout=log, stderr=log)

    def _supervise(self) -> None:
        while not self._is_over.is_set():
            self._process.wait()
            if not self._is_over.wait(SUPERVISOR_SECONDS):
                self._process = self._spawn()

    def _processes(self) -> list[psutil.Process]:
        try:
            top = psutil.Process(self._process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.Error:
            return []


class Trial:
    """One run of the trial.

    Args:
        folder: Empty; everything is kept below it, sockets too: its path is short.
        seed: Of the kills.
        kills: How many.
    """

    def __init__(self, folder: Path, *, seed: int, kills: int) -> None:
        self._folder = folder
        self._chance = random.Random(seed)
        self._seed = seed
        self._num_kills = kills
        self._nodes: list[Part] = []
        self.kills: Counter[str] = Counter()
        self.answers: Counter[int | str] = Counter()
        self.jobs: Counter[str] = Counter()
        self.num_wrong = 0
        self.recovery: dict[str, list[float]] = {}
        """Seconds to the next picture, by what was left."""
        self._right = b""
        self._is_over = threading.Event()

    def run(self) -> Outcome:
        """Run it to its end."""
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        begun = time.monotonic()
        address = f"127.0.0.1:{_free_port()}"
        with ExitStack() as ends:
            self._head = Part(
                self._folder / "head.log",
                *("--head", f"--port={address.rpartition(':')[2]}"),
                *("--num-cpus=0", "--include-dashboard=false"),
                f"--temp-dir={self._folder / 'ray'}",
            )
            ends.callback(self._head.end)
            _wait(lambda: _listens(address), "the head does not start")
            for name in ("one", "two"):
                log = self._folder / f"{name}.log"
                node = Part(log, f"--address={address}", "--num-cpus=2")
                self._nodes.append(node)
                ends.callback(node.end)
            served = start(
                self._folder / "data",
                backend="ray",
                ray_address=address,
                ray_min_replicas=2,
                ray_max_replicas=2,
                devices="cpu:2",
                precision="float32",
                rate_per_minute=1_000_000,
                quota_builds_per_day=1_000_000,
                max_attempts=1000,
            )
            ends.callback(end, served)
            try:
                self._work(served)
            except httpx.TransportError as error:
                self.answers[type(error).__name__] += 1
                sys.stderr.writelines(
                    line for line in served.lines if '"request"' not in line
                )
        return self._outcome(time.monotonic() - begun)

    def _work(self, served: Served) -> None:
        with httpx.Client(base_url=served.base_url, timeout=RECOVERY_SECONDS) as http:
            scene = self._uploaded(served)
            job = http.post(f"/v1/scenes/{scene}/build", json=BUILD).json()["id"]
            _wait(lambda: _state(http, job) == "succeeded", "the first build fails")
            self._right = http.post(f"/v1/scenes/{scene}/render", json=PICTURE).content
            _wait(lambda: self._num_ready(http) == 4, "the replicas do not start")
            clients = [
                threading.Thread(target=self._render, args=(served, scene))
                for _ in range(NUM_CLIENTS)
            ]
            for client in clients:
                client.start()
            jobs: dict[str, str] = {}
            deck: list[str] = []
            try:
                while self.kills.total() < self._num_kills:
                    deck = deck or self._chance.sample(DECK, len(DECK))
                    other = self._uploaded(served)
                    made = http.post(f"/v1/scenes/{other}/build", json=BUILD)
                    if made.status_code == 202:
                        jobs[made.json()["id"]] = other
                    self._is_over.wait(self._chance.uniform(*PAUSE_SECONDS))
                    self._kill(deck.pop(), http, scene)
            finally:
                self._is_over.set()
            for client in clients:
                client.join()
            self._look_at(http, jobs)

    def _kill(self, kind: str, http: httpx.Client, scene: str) -> None:
        """Kill one kind of process, and wait for the next picture."""
        node = self._chance.choice(self._nodes)
        match kind:
            case "head":
                # On one machine Ray starts no head while there are nodes of the last.
                killed = self._head.find("/gcs_server ")
                killed += [one for each in self._nodes for one in each.find("/raylet ")]
            case "node":
                killed = node.find("/raylet ")
            case "member":
                killed = node.find("compute.worker")[:1]
            case "both replicas":
                killed = [one for each in self._nodes for one in each.find(ACTOR)]
            case _:
                killed = node.find(ACTOR)
        if not killed:
            return  # it is being started again; the next card of the deck
        lost = {"head": 4, "both replicas": 4, "member": 1}.get(kind)
        if lost is None:
            lost = len(node.find("compute.worker"))
        is_one_left = self._num_ready(http) > lost
        for process in killed:
            process.kill()
        begun = time.monotonic()
        self.kills[kind] += 1

        def is_back() -> bool:
            answer = http.post(f"/v1/scenes/{scene}/render", json=PICTURE)
            self._note(answer)
            return answer.status_code == 200

        if kind == "head":  # a replica may go on for a moment
            left = "head gone"
            _wait(lambda: not is_back(), "all goes on without the head")
        else:
            left = "one left" if is_one_left else "none left"
        _wait(is_back, f"no picture after {kind}")
        seconds = time.monotonic() - begun
        self.recovery.setdefault(left, []).append(seconds)
        sys.stderr.write(f"{self.kills.total():3d}  {kind}, {left}: {seconds:.2f} s\n")

    def _render(self, served: Served, scene: str) -> None:
        with httpx.Client(base_url=served.base_url, timeout=RECOVERY_SECONDS) as http:
            while not self._is_over.is_set():
                try:
                    answer = http.post(f"/v1/scenes/{scene}/render", json=PICTURE)
                except httpx.TransportError as error:
                    self.answers[type(error).__name__] += 1
                    continue
                self._note(answer)
                if answer.status_code != 200:
                    self._is_over.wait(0.2)

    def _note(self, answer: httpx.Response) -> None:
        self.answers[answer.status_code] += 1
        if answer.status_code == 200 and answer.content != self._right:
            self.num_wrong += 1

    def _uploaded(self, served: Served) -> str:
        with Client(served.base_url) as client:
            scene = client.create_scene("sample")
            client.upload_dataset(scene.id, SAMPLE)
        return scene.id

    def _num_ready(self, http: httpx.Client) -> int:
        """Processes of replicas that take renders."""
        workers = http.get("/v1/capacity").json()["workers"]
        return sum(worker["state"] == "ready" for worker in workers)

    def _look_at(self, http: httpx.Client, jobs: dict[str, str]) -> None:
        """Every build has succeeded, and its scene looks as the first one."""
        deadline = time.monotonic() + END_SECONDS
        for job, scene in jobs.items():
            while (state := _state(http, job)) in ("queued", "running"):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.2)
            self.jobs[state] += 1
            if state == "succeeded":
                self._note(http.post(f"/v1/scenes/{scene}/render", json=PICTURE))

    def _outcome(self, seconds: float) -> Outcome:
        times = self.recovery.items()
        answers = ", ".join(f"{n} × {kind}" for kind, n in self.answers.items())
        kinds = ", ".join(f"{n} × {kind}" for kind, n in self.kills.items())
        return Outcome(
            f"seed {self._seed}, kills in {seconds:.0f} s: {kinds}",
            ["next picture after", "times", "median s", "worst s"],
            [
                [left, str(len(one)), f"{quantile(one, 0.5):.2f}", f"{max(one):.2f}"]
                for left, one in times
            ],
            [
                (
                    f"all builds succeed: {dict(self.jobs)}",
                    set(self.jobs) == {"succeeded"},
                ),
                (f"no wrong picture: {self.num_wrong}", self.num_wrong == 0),
                (
                    f"no answer but 200, 429, 503: {answers}",
                    set(self.answers) <= ALLOWED,
                ),
            ],
        )


def _state(http: httpx.Client, job: str) -> str:
    return http.get(f"/v1/jobs/{job}").json()["state"]


def _wait(condition: Callable[[], Any], complaint: str) -> None:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 1.0).close()
    except OSError:
        return False
    return True


def main() -> int:
    """Run a trial; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nvs-") as folder:
        outcome = Trial(Path(folder), seed=given.seed, kills=given.kills).run()
    outcome.show()
    return 0 if outcome.is_met else 1


if __name__ == "__main__":
    sys.exit(main())
