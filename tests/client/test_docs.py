"""docs/api.md: its commands run against a real server, its table has every route."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import imageio.v2 as imageio
import pytest
from PIL import Image

from tests.served import end, start

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
SERVER = "http://127.0.0.1:8000"
METHODS = ("get", "put", "post", "patch", "delete")


def blocks(language: str) -> str:
    """Every code block of a language, in order."""
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real, open server."""
    running = start(tmp_path_factory.mktemp("served"))
    yield running.base_url
    end(running)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some views of the sample as `chair/`, and zipped."""
    sample, chair = ROOT / "nvs/assets/sample", tmp_path / "chair"
    frames = json.loads((sample / "opencv_cameras.json").read_text())[::3]
    (chair / "renderings").mkdir(parents=True)
    for frame in frames:
        shutil.copy(sample / frame["file_path"], chair / frame["file_path"])
    (chair / "opencv_cameras.json").write_text(json.dumps(frames))
    shutil.make_archive(str(chair), "zip", tmp_path, "chair")
    return tmp_path


def run(command: list[str], folder: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NVS_")}
    commands = Path(sys.executable).parent
    environment |= {
        "PATH": f"{commands}{os.pathsep}{environment['PATH']}",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def check_results(folder: Path) -> None:
    assert Image.open(folder / "chair.png").size == (64, 64)
    with imageio.get_reader(folder / "chair.mp4") as reader:
        assert sum(1 for _ in reader) == 6
    assert (folder / "chair.scene").stat().st_size > 100_000


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_run_with_curl(server: str, folder: Path) -> None:
    script = "set -euo pipefail\n" + blocks("bash").replace(SERVER, server)
    out = run(["bash", "-c", script], folder)
    check_results(folder)
    assert '"state":"succeeded"' in out.replace(" ", "")
    assert Image.open(folder / "input.png").size == (64, 64)
    assert Image.open(folder / "remote.png").size == (64, 64)
    assert (folder / "remote.mp4").stat().st_size > 1000
    assert (folder / "remote.scene").stat().st_size > 100_000


def test_the_run_with_python(server: str, folder: Path) -> None:
    script = blocks("python").replace(SERVER, server)
    out = run([sys.executable, "-c", script], folder)
    check_results(folder)
    assert "succeeded" in out
    assert "(64, 64, 3)" in out


def test_every_route_is_in_the_table() -> None:
    from fastapi.routing import iter_route_contexts
    from starlette.routing import WebSocketRoute

    from nvs_server.app import create_app
    from nvs_server.settings import Settings

    app = create_app(Settings())
    routes = {
        (method.upper(), re.sub(r":path\}", "}", path))
        for path, answers in app.openapi()["paths"].items()
        for method in answers
        if method in METHODS
    }
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, WebSocketRoute):
            routes.add(("WS", route.path))
    table = set(re.findall(r"^\| ([A-Z]+) \| `(/[^`]*)` \|", PAGE, re.MULTILINE))
    assert table == routes
