"""The real server as a process: `nvs serve`, what it logs, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from nvs.api.system import Quotas
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore

WAIT_SECONDS = 90


@dataclass
class Served:
    """A running `nvs serve`."""

    base_url: str
    data_folder: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    said: threading.Condition = field(default_factory=threading.Condition)

    @property
    def pid(self) -> int:
        return self.process.pid

    def read(self) -> None:
        """Follow the log until the server ends."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self.said:
                    self.lines.append(line)
                    self.said.notify_all()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The entries so far."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first log entry of an event, once it is there."""

        def found() -> dict[str, Any] | None:
            return next((one for one in self.log if one["event"] == event), None)

        with self.said:
            assert self.said.wait_for(found, WAIT_SECONDS), self.lines
        entry = found()
        assert entry is not None
        return entry

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS)


def environment(data_folder: Path, **settings: Any) -> dict[str, str]:
    """The environment of a server with these settings."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("NVS_")}
    values = {
        "host": "127.0.0.1",
        "port": 0,
        "data_folder": data_folder,
        "devices": "cpu",
        "threads": 1,
        "compile": False,
        "log_format": "json",
    } | settings
    return clean | {f"NVS_{k.upper()}": str(v) for k, v in values.items()}


def start(
    data_folder: Path, *, python: str | Path = sys.executable, **settings: Any
) -> Served:
    """Start `nvs serve` and wait for it to say where it listens."""
    process = subprocess.Popen(
        [python, "-P", "-m", "nvs.cli", "serve"],
        env=environment(data_folder, **settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served("", data_folder, process)
    threading.Thread(target=served.read, daemon=True).start()
    try:
        served.base_url = served.wait_for("listening")["url"]
        assert httpx.get(served.base_url + "/readyz").status_code == 200
    except BaseException:
        end(served)
        raise
    return served


def end(served: Served) -> None:
    if served.process.poll() is None:
        try:
            served.stop()
        finally:
            served.process.kill()
            served.process.wait()


def make_key(data_folder: Path) -> str:
    """A key of a server that has not started yet."""
    data_folder.mkdir(exist_ok=True)
    database = Database(f"sqlite:///{data_folder}/nvs.sqlite")
    database.migrate()
    _, secret = KeyStore(database).create(
        name="a", owner="a", scopes=["read", "write", "render"], quotas=Quotas()
    )
    database.dispose()
    return secret
