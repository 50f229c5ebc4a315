"""The web page on a scene, from Python: a service of our own in a process of its own.

It is `nvs serve` on a free port of this machine, which keeps what it is given in a
temporary folder and lets notebooks of this machine show its page in a frame. Scenes of
the same weights share it, and it ends with this process at the latest.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nvs.errors import ConfigError, MissingExtraError

START_SECONDS = 300.0
"""Longest wait for the service, which loads the network first."""
END_SECONDS = 10.0
FRAME_PX = 600
"""Height of the page in a notebook."""
NOTEBOOKS = ("http://localhost:*", "http://127.0.0.1:*", "vscode-webview:")
"""Pages that may show the service's in a frame."""
PROGRAM = """\
import os, shutil, signal, sys, threading

folder, orphaned = sys.argv.pop(), threading.Event()

def end_with_parent():
    os.read(0, 1)
    orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end_with_parent, daemon=True).start()
from nvs.cli import main
try:
    main()
finally:
    if orphaned.is_set():
        shutil.rmtree(folder, ignore_errors=True)
"""
"""`nvs`, until its standard input is closed, as it is when this process ends, however
that comes; there is then nobody else to remove the folder."""


class View:
    """A scene on the page of a service; a notebook shows it in a frame.

    Attributes:
        url: Its address, for browsers on this machine.
    """

    def __init__(self, service: _Service, scene_id: str) -> None:
        self.url = f"http://localhost:{service.port}/scenes/{scene_id}"
        self._service = service
        self._scene_id = scene_id

    def __repr__(self) -> str:
        return f"View({self.url})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return (
            f"<iframe src='{escape(self.url)}' width='100%' height='{FRAME_PX}' "
            "allow='fullscreen' style='border:0'></iframe>"
        )

    def close(self) -> None:
        """Take the scene off the page; with the last one the service ends."""
        with _lock:
            if self in self._service.views:
                self._service.remove(self._scene_id)
                self._service.views.remove(self)
                self._service.end_if_unused()


def open_view(save: Callable[[Path], object], *, name: str, weights: str) -> View:
    """Show a scene in the browser, or in the notebook that displays the result.

    Args:
        save: Writes the scene's file.
        name: What the page calls it.
        weights: Name or path of the weights that built it.

    Raises:
        MissingExtraError: If the extra `server` is not installed.
        ConfigError: If the service does not start; says why.
        ServiceError: If the service does not take the scene.
    """
    if find_spec("fastapi") is None:
        raise MissingExtraError("fastapi", "server")
    with _lock:
        service = _services.get(weights)
        if service is None or not service.is_running:
            service = _services[weights] = _Service(weights)
        try:
            view = View(service, service.add(save, name))
            service.views.add(view)
        finally:
            service.end_if_unused()
    if not _in_notebook():
        webbrowser.open(view.url)
    return view


class _Service:
    """A running `nvs serve`, and the views of its scenes."""

    def __init__(self, weights: str) -> None:
        self.views: set[View] = set()
        self._folder = TemporaryDirectory(
            prefix="nvs-view-", ignore_cleanup_errors=True
        )
        self._log = Path(self._folder.name) / "log"
        settings = {
            "NVS_PORT": "0",
            "NVS_DATA_FOLDER": str(Path(self._folder.name) / "data"),
            "NVS_WEIGHTS": weights,
            "NVS_FRAME_ANCESTORS": ",".join(NOTEBOOKS),
            "NVS_DRAIN_SECONDS": "2",
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith("NVS_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, "serve", self._folder.name],
                env=others | settings,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for Python, not for it
            )
        atexit.register(self.end)
        try:
            self.port = self._wait_for_port()
        except BaseException:
            self.end()
            raise

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def add(self, save: Callable[[Path], object], name: str) -> str:
        """Put a scene in: its id."""
        from nvs.client import Client

        file = Path(self._folder.name) / "new.scene"
        save(file)
        with Client(f"http://127.0.0.1:{self.port}") as client:
            scene = client.create_scene(name)
            client.upload_scene_file(scene.id, file)
        file.unlink()
        return scene.id

    def remove(self, scene_id: str) -> None:
        """Take a scene out, if it still is there."""
        from nvs.client import Client, ServiceError

        if not self.is_running:
            return
        with Client(f"http://127.0.0.1:{self.port}") as client:
            try:
                client.delete_scene(scene_id)
            except ServiceError as error:
                if error.status != 404:
                    raise

    def end_if_unused(self) -> None:
        if not self.views:
            self.end()

    def end(self) -> None:
        """End the process and remove what it kept."""
        atexit.unregister(self.end)
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._folder.cleanup()

    def _wait_for_port(self) -> int:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            ended = not self.is_running
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            for line in lines:
                if '"listening"' in line and line.endswith("}"):
                    return int(json.loads(line)["url"].rpartition(":")[2])
            if ended:
                last = lines[-1] if lines else f"exit code {self._process.returncode}"
                raise ConfigError(
                    f"`nvs serve` ended at its start: {last.removeprefix('nvs: ')}",
                    remedy="Put right what it says.",
                )
            time.sleep(0.05)
        raise ConfigError(
            f"`nvs serve` does not listen after {START_SECONDS:g} seconds",
            remedy="Run it in a terminal and see what it says.",
        )


_services: dict[str, _Service] = {}
"""By the weights that they serve."""
_lock = threading.Lock()


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this; IPython in a terminal has none."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
