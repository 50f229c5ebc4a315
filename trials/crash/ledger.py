"""What the server has promised, and what it may have done without saying so.

Every request is noted before it is sent and once more when it is answered. A request
without an answer may have had its effect or not; one that was answered has.
"""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

Files = Mapping[str, str]
"""Digests by path."""


@dataclass
class Scene:
    """A scene whose making was acknowledged."""

    name: str
    files: list[Files] = field(default_factory=lambda: [{}])
    """What may be stored: one possibility, or two while a change has no answer."""
    delete_asked: bool = False
    deleted: bool = False


@dataclass
class Job:
    """A job that was acknowledged."""

    kind: str
    scene_id: str
    final: str | None = None
    """The final state, once it was seen."""
    attempts: int = 0


@dataclass
class Books:
    """The entries."""

    names: set[str] = field(default_factory=set)
    """Of every scene that was asked for; each is asked for once."""
    scenes: dict[str, Scene] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Job by idempotency key."""
    answers: Counter[str] = field(default_factory=Counter)
    """Successful requests by kind."""


class Ledger:
    """The books, shared between threads, and what was found to be wrong."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._books = Books()
        self._in_flight: Counter[str] = Counter()
        self._violations: list[str] = []

    def violation(self, what: str) -> None:
        """Note something that must not happen."""
        with self._lock:
            self._violations.append(what)

    @property
    def violations(self) -> list[str]:
        with self._lock:
            return list(self._violations)

    def snapshot(self) -> Books:
        """The entries as they are now."""
        with self._lock:
            return copy.deepcopy(self._books)

    def in_flight(self) -> list[str]:
        """Kinds of the requests that are being answered."""
        with self._lock:
            return sorted(self._in_flight.elements())

    @contextmanager
    def request(self, kind: str) -> Generator[None]:
        """A request is on its way."""
        with self._lock:
            self._in_flight[kind] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight[kind] -= 1

    def answered(self, kind: str) -> None:
        with self._lock:
            self._books.answers[kind] += 1

    def scene_asked(self, name: str) -> None:
        with self._lock:
            self._books.names.add(name)

    def scene_made(self, scene_id: str, name: str) -> None:
        with self._lock:
            if scene_id in self._books.scenes:
                self._violations.append(f"the scene {scene_id} was made twice")
            self._books.scenes[scene_id] = Scene(name)

    def files_asked(self, scene_id: str, change: Callable[[Files], Files]) -> None:
        with self._lock:
            scene = self._books.scenes[scene_id]
            scene.files = [scene.files[0], change(scene.files[0])]

    def files_changed(self, scene_id: str) -> None:
        with self._lock:
            scene = self._books.scenes[scene_id]
            scene.files = [scene.files[-1]]

    def delete_asked(self, scene_id: str) -> None:
        with self._lock:
            self._books.scenes[scene_id].delete_asked = True

    def deleted(self, scene_id: str) -> None:
        with self._lock:
            self._books.scenes[scene_id].deleted = True

    def job_taken(self, job_id: str, kind: str, scene_id: str, key: str) -> None:
        with self._lock:
            known = self._books.keys.setdefault(key, job_id)
            if known != job_id:
                self._violations.append(f"{key}: job {known}, then job {job_id}")
            self._books.jobs.setdefault(job_id, Job(kind, scene_id))

    def job_ended(self, job_id: str, state: str, attempts: int) -> None:
        with self._lock:
            job = self._books.jobs[job_id]
            if job.final not in (None, state):
                self._violations.append(f"job {job_id}: {job.final}, then {state}")
            job.final, job.attempts = state, attempts
