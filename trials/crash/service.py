"""The server under trial: started, killed, started again on the same port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.served import Served, environment

PATIENCE_SECONDS = 240
MODULES = {
    "worker": "nvs_server.compute.worker",
    "inspector": "nvs_server.compute.inspector",
}
SETTINGS = {
    "lease_seconds": 2,
    "max_attempts": 1000,
    "rate_per_minute": 1_000_000,
    "quota_builds_per_day": 1_000_000,
}
"""A short lease: a killed gateway's job is taken up soon. So many attempts: here no
kill is the job's own fault."""


class Service:
    """One data folder and the server on it.

    Args:
        folder: Empty; the server's data and temporary files go below it.
    """

    def __init__(self, folder: Path) -> None:
        self.data_folder = folder / "data"
        self.temporary_folder = folder / "temporary"
        self.temporary_folder.mkdir()
        self.up = threading.Event()
        self.complaints: list[str] = []
        self.start_seconds = 3.0
        self._port = _free_port()
        self._served: Served | None = None
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def spawn(self) -> None:
        """Start the gateway; it is not ready yet."""
        process = subprocess.Popen(
            [sys.executable, "-m", "nvs.cli", "serve"],
            env=environment(self.data_folder, port=self._port, **SETTINGS)
            | {"TMPDIR": str(self.temporary_folder)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._served = Served(self.url, self.data_folder, process)
        self._reader = threading.Thread(target=self._served.read, daemon=True)
        self._reader.start()

    def await_up(self) -> None:
        """Wait until it listens."""
        begun = time.monotonic()
        self._running.wait_for("listening")
        self.start_seconds = time.monotonic() - begun
        self.up.set()

    def pids(self, kind: str) -> list[int]:
        """Processes of a kind: "gateway", "worker", "inspector"."""
        if kind == "gateway":
            return [self._running.pid]
        found: list[int] = []
        for child in psutil.Process(self._running.pid).children():
            try:
                if MODULES[kind] in child.cmdline():
                    found.append(child.pid)
            except psutil.Error:
                continue  # it has just ended
        return found

    def kill(self, kind: str, pid: int) -> None:
        """SIGKILL; the gateway's children are waited for too."""
        if kind == "gateway":
            self.up.clear()
        os.kill(pid, signal.SIGKILL)
        if kind == "gateway":
            self._ended()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        status = self._running.stop()
        self._ended()
        return status

    def is_ready(self) -> bool:
        """Whether a worker takes requests."""
        try:
            capacity = httpx.get(f"{self.url}/v1/capacity", timeout=PATIENCE_SECONDS)
        except httpx.TransportError:
            return False
        states = [worker["state"] for worker in capacity.json()["workers"]]
        return "ready" in states

    def temporary_files(self) -> list[str]:
        """What is left in the system's temporary folder, but for torch's cache."""
        return [
            str(path)
            for path in self.temporary_folder.iterdir()
            if not path.name.startswith("torchinductor_")
        ]

    def close(self) -> None:
        """Leave no process, whatever happened."""
        if self._served is not None:
            self._served.process.kill()
            self._served.process.wait()
        for process in self._processes():
            process.kill()

    def _ended(self) -> None:
        """Check that nothing is left of the gateway's life but what it said."""
        self._running.process.wait(PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while processes := self._processes():
            if time.monotonic() > deadline:
                left = [" ".join(process.cmdline()) for process in processes]
                self.complaints.append(f"left running: {left}")
                break
            psutil.wait_procs(processes, timeout=0.2)
        assert self._reader is not None
        self._reader.join(PATIENCE_SECONDS)
        self.complaints += [
            f"log: {line.strip()}"
            for line in self._running.lines
            if _is_complaint(line)
        ]

    def _processes(self) -> list[psutil.Process]:
        """Every process of this data folder, wherever it hangs in the tree."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                folder = process.environ().get("NVS_DATA_FOLDER")
            except psutil.Error:
                continue  # somebody else's, or ended
            if folder == str(self.data_folder) and process.pid != os.getpid():
                found.append(process)
        return found

    @property
    def _running(self) -> Served:
        assert self._served is not None, "spawn() comes first"
        return self._served


def _is_complaint(line: str) -> bool:
    """Whether a line of the log tells of a mistake of the server's own."""
    if not line.startswith("{"):
        return "Traceback" in line or "Error" in line
    entry: dict[str, Any] = json.loads(line)
    return entry.get("level") in ("error", "critical")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
