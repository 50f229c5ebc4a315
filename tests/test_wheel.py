"""The wheel alone, in a folder full of other people's modules of common names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from nvs.assets import SAMPLE
from tests.environments import make_environment
from tests.served import Served, end, environment

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
PARTS = ("nvs", "nvs_data", "nvs_eval", "nvs_server")
DECOYS = ("server", "eval", "data_tools")

Run = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what is committed, and from nothing that merely lies about."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    source, built = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    archive = source.with_suffix(".zip")
    git = ["git", "-C", ROOT, "archive", "--output", archive, "HEAD"]
    subprocess.run(git, check=True)
    shutil.unpack_archive(archive, source)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir")
    pip = [sys.executable, "-m", "pip", "wheel", *options, built, source]
    subprocess.run(pip, check=True)
    (file,) = built.iterdir()
    return file


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a new environment: the wheel, and the packages that these tests run with."""
    interpreter = make_environment(tmp_path_factory.mktemp("environment"))
    pip = [sys.executable, "-m", "pip", "--python", interpreter, "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", wheel], check=True)
    return interpreter


@pytest.fixture(scope="module")
def decoys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder whose modules must not be taken for ours."""
    folder = tmp_path_factory.mktemp("decoys")
    for name in DECOYS:
        (folder / f"{name}.py").write_text("raise RuntimeError('taken for ours')\n")
    return folder


@pytest.fixture(scope="module")
def run(python: Path, decoys: Path) -> Run:
    """Runs the new environment's Python in that folder: what it prints."""

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [python, *map(str, arguments)],
            cwd=decoys,
            env={key: os.environ[key] for key in os.environ if key[:6] != "PYTHON"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def nvs(run: Run) -> Run:
    return lambda *arguments: run("-m", "nvs.cli", *arguments)


@pytest.fixture
def served(python: Path, decoys: Path, tmp_path: Path) -> Iterator[Served]:
    """`nvs serve` of the wheel, on a new database."""
    clean = environment(tmp_path, weights="lact_small")
    clean.pop("PYTHONPATH", None)
    process = subprocess.Popen(
        [python, "-m", "nvs.cli", "serve"],
        cwd=decoys,
        env=clean,
        stderr=subprocess.PIPE,
        text=True,
    )
    served = Served("", tmp_path, process)
    threading.Thread(target=served.read, daemon=True).start()
    try:
        served.base_url = served.wait_for("listening")["url"]
        yield served
    finally:
        end(served)


def test_the_wheel_holds_our_names_and_no_others(wheel: Path) -> None:
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == set(PARTS)
    assert len(names) == len(PARTS) + 1


def test_what_runs_is_what_the_wheel_installed(run: Run, python: Path) -> None:
    code = (
        f"import {', '.join(PARTS)}; print({', '.join(f'{p}.__file__' for p in PARTS)})"
    )
    files = run("-c", code).split()
    assert len(files) == len(PARTS)
    assert all(Path(file).is_relative_to(python.parents[1]) for file in files)


def test_every_command_is_there(nvs: Run) -> None:
    text = nvs("--help")
    for command in ("build", "train", "remote", "data", "eval", "keys", "serve"):
        assert f"\n  {command} " in text
        nvs(command, "--help")


def test_every_reader_is_found(run: Run) -> None:
    code = "from nvs.scene.datasets import readers; print(*(r.name for r in readers()))"
    found = set(run("-c", code).split())
    assert found == {
        *("opencv", "blender", "colmap", "dl3dv", "llff", "nerfstudio"),
        *("metashape", "polycam", "realestate10k", "record3d"),
    }


def test_a_type_checker_knows_our_types(python: Path, tmp_path: Path) -> None:
    """Of packages without the marker it reads no types here, so all would pass."""
    code = """\
        from nvs.cameras import Camera
        from nvs_data.validate import validate
        from nvs_eval.summary import bootstrap
        from nvs_server.settings import Settings
        camera: str = Camera.from_numpy([[]], [], (8, 8), convention="opengl")
        Camera.from_numpy([[]], [], (8, 8), convention="maya")
        data: int = validate
        evaluation: int = bootstrap
        host: int = Settings().host
    """
    (tmp_path / "user.py").write_text(textwrap.dedent(code))
    settings = {"useLibraryCodeForTypes": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--outputjson"),
            *("--pythonpath", python, "--project", tmp_path),
        ],
        capture_output=True,
        text=True,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    lines = {one["range"]["start"]["line"] for one in found}
    assert lines == set(range(4, 9)), found


def test_a_scene_is_built_rendered_and_reported(nvs: Run, tmp_path: Path) -> None:
    scene, frames = tmp_path / "a.scene", tmp_path / "frames"
    nvs("build", SAMPLE, "-o", scene, "--size", 32, "--views", "0-3")
    nvs("render", scene, "--path", "walk", "--frames", 2, "-o", frames)
    assert len(list(frames.glob("*.png"))) == 2
    run, page = tmp_path / "run", tmp_path / "report.html"
    nvs("eval", "folder", frames, frames, "--name", "itself", "-o", run)
    nvs("eval", "report", run, "-o", page)
    assert "itself" in page.read_text()


def test_the_index_files_of_gso_are_there(run: Run) -> None:
    code = (
        "import json; from nvs_eval.protocols.gso import *; "
        "print(json.dumps([read_targets(), *map(read_inputs, VIEW_COUNTS)]))"
    )
    targets, *inputs = json.loads(run("-c", code))
    assert len(targets[0]) == 8
    assert [len(views) for views, _ in inputs] == [4, 8, 12, 16, 20, 24, 32, 48]


def test_the_service_migrates_serves_and_works(
    nvs: Run, served: Served, tmp_path: Path
) -> None:
    for path, kind in (("/", "text/html"), ("/viewer/js/main.js", "text/javascript")):
        answer = httpx.get(served.base_url + path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
    assert json.loads(nvs("keys", "list", "--data-folder", tmp_path, "--json")) == []

    at = ("--server", served.base_url)
    scene = json.loads(nvs("remote", "upload", SAMPLE, *at, "--json"))["scene"]
    nvs("remote", "build", scene, "--views", "0-3", *at)
    view = tmp_path / "view.png"
    nvs("remote", "render", scene, "--input", 0, "--size", "32x32", "-o", view, *at)
    assert view.stat().st_size > 0
    children = [child.cmdline() for child in psutil.Process(served.pid).children()]
    assert any(
        words[1:4] == ["-P", "-m", "nvs_server.compute.worker"] for words in children
    )
