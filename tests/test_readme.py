"""README.md carries on: its blocks run in order, in a fresh clone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import imageio.v2 as imageio
import pytest
import trimesh
from PIL import Image

from nvs.assets import SAMPLE
from nvs.scene import Scene
from tests.environments import make_environment
from tests.served import Served, end, start

pytestmark = pytest.mark.timeout(900)  # with other work on the machine
ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:^ {4}\S.*\n)+|^```python\n(?s:.*?)^```\n", re.MULTILINE)
RUNS = re.compile(r"^ +(make|nvs|pip) |^```python", re.MULTILINE)
SERVER = "http://127.0.0.1:8000"
ACTIVATION = ". .venv/bin/activate"
NOT_RUN = ("make test", "nvs serve", "nvs weights get", "--weights obj_res512")
"""Lines that run this suite, never end, or need the network."""


def sections() -> dict[str, list[str]]:
    """Blocks of code by the heading that they stand under."""
    parts = re.split(r"^## (.*)\n", PAGE, flags=re.MULTILINE)
    found = {
        title: [block[0] for block in BLOCK.finditer(text)]
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {
        title: [block for block in blocks if RUNS.search(block)]
        for title, blocks in found.items()
    }


@dataclass
class Clone:
    """A checkout, and what was activated in it so far."""

    folder: Path
    environment: dict[str, str]
    activated: list[str] = field(default_factory=list)

    def run(self, block: str) -> None:
        """Run a block as it stands, but for what is not run."""
        if block.startswith("```python"):
            code = "\n".join(block.splitlines()[1:-1])
            lines = [f"python - <<'END'\n{code}\nEND"]
        else:
            lines = [line.strip() for line in block.splitlines()]
            lines = [x for x in lines if not any(word in x for word in NOT_RUN)]
        script = "\n".join(["set -eu", WARNINGS_PASS, *self.activated, *lines])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        self.activated += [line for line in lines if line.startswith(ACTIVATION)]

    def run_section(self, title: str) -> None:
        for block in sections()[title]:
            self.run(block)

    def frames(self, video: str) -> int:
        with imageio.get_reader(self.folder / video) as reader:
            return sum(1 for _ in reader)


WARNINGS_PASS = """nvs() {
  command nvs "$@" || { [ "$? $1 $2" = "1 data validate" ]; }
}"""
"""A capture with warnings is a success, which `nvs data validate` ends with code 1."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """What is committed, and an environment that `make demo` finds installed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    folder = tmp_path_factory.mktemp("fresh") / "lact-nvs"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    parts = [folder / part for part in (".", "server", "eval", "data_tools")]
    python = make_environment(folder / ".venv", parts)
    for name, lines in {
        "nvs": f"#!{python}\nfrom nvs.cli import main\nmain()\n",
        "pip": "#!/bin/sh\n",
    }.items():
        (python.parent / name).write_text(lines)
        (python.parent / name).chmod(0o755)
    (folder / ".venv" / ".core").touch()

    ours = ("NVS_", "PYTHON", "VIRTUAL_ENV")
    clean = {key: os.environ[key] for key in os.environ if not key.startswith(ours)}
    paths = clean["PATH"].split(os.pathsep)
    clean["PATH"] = os.pathsep.join(
        path for path in paths if not (Path(path) / "nvs").exists()
    )
    home = tmp_path_factory.mktemp("home")
    clean |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return Clone(folder, clean)


@pytest.fixture(scope="module")
def active(clone: Clone) -> Clone:
    """The clone, active in this shell."""
    if not clone.activated:
        clone.activated.append(ACTIVATION)
    return clone


@pytest.fixture(scope="module")
def served(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`nvs serve` of the clone."""
    python = clone.folder / ".venv" / "bin" / "python"
    running = start(tmp_path_factory.mktemp("data"), python=python)
    yield running
    end(running)


def test_the_first_section_after_the_demo_makes_the_environment_active() -> None:
    first, second = list(sections().values())[:2]
    assert "make demo" in first[0]
    assert second[0].strip().startswith(ACTIVATION)
    assert PAGE.count("bin/activate") == 1, "said once"


def test_extras_are_there_and_installed_where_they_are_needed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = re.findall(r"^ +pip install (.*?)(?: +#.*)?$", PAGE, re.MULTILINE)
    named = [re.fullmatch(r"-e '\.\[([\w,]+)\]'", line) for line in lines]
    assert all(named), lines
    assert {one for match in named if match for one in match[1].split(",")} <= {*extras}
    needs = {"nvs data pose": "data", "nvs serve": "server", "nvs eval": "eval"}
    for command, extra in needs.items():
        before = PAGE[: PAGE.index(f"    {command}")]
        installed = re.findall(r"pip install -e '\.\[([\w,]+)\]'", before)
        assert any(extra in names.split(",") for names in installed), command


def test_all_sections_with_commands_are_run() -> None:
    with_blocks = {title for title, blocks in sections().items() if blocks}
    assert with_blocks == {
        "Two commands",
        "Step by step",
        "Your own photographs",
        "A service and a viewer",
        "Weights",
        "Benchmarks",
    }


def test_the_sample_step_by_step(clone: Clone) -> None:
    clone.run_section("Two commands")
    assert clone.frames("out/orbit.mp4") == 60
    clone.run_section("Step by step")
    assert clone.frames("out/chicken.mp4") == 60
    assert Scene.load(clone.folder / "out/chicken.scene").height == 128
    for picture in ("out/cameras.png", "out/apart.holdout.png"):
        assert Image.open(clone.folder / picture).width > 100


@pytest.mark.slow
def test_photographs(active: Clone) -> None:
    photos = active.folder / "photos"
    photos.mkdir()
    for number, file in enumerate(sorted((SAMPLE / "renderings").iterdir())):
        picture = Image.open(file)
        white = Image.new("RGBA", picture.size, "white")
        photo = Image.alpha_composite(white, picture).convert("RGB")
        photo.save(photos / f"IMG_{number:04}.JPG", quality=95)
    active.run_section("Your own photographs")
    assert (active.folder / "chair.holdout.png").stat().st_size > 1000
    assert active.frames("chair.mp4") == 60


@pytest.mark.slow
def test_a_service(active: Clone, served: Served) -> None:
    (active.folder / "out").mkdir(exist_ok=True)
    active.environment["NVS_SERVER"] = served.base_url
    for block in sections()["A service and a viewer"]:
        (active.folder / "out/view.png").unlink(missing_ok=True)
        active.run(block.replace(SERVER, served.base_url))
        if "render" in block:
            assert Image.open(active.folder / "out/view.png").size == (128, 128)


@pytest.mark.slow
def test_benchmarks(active: Clone) -> None:
    models = active.folder / "models"
    models.mkdir()
    trimesh.creation.torus(1.0, 0.4).export(models / "ring.glb")
    active.run_section("Benchmarks")
    table = json.loads((active.folder / "results" / "run.json").read_text())
    assert table
    assert "lact_small" in (active.folder / "report.html").read_text()
