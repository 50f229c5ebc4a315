"""Each instruction of the CPU image, run in a Debian of its own by chroot, as root.

Nothing here is Docker: stages are folders, made by debootstrap; `RUN` is a shell in
one; `COPY` copies. What the machine's own package clients need to reach registries is
lent to `RUN`, and torch's index is a folder with the wheel that pip finds.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.docker.test_files import ROOT, instructions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
TOOLS = ("debootstrap", "unshare", "chroot", "ip")
LENT = re.compile(r"(https?|no)_proxy|PIP_(DEFAULT_TIMEOUT|INDEX_URL)", re.IGNORECASE)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
WITHIN = """
set -e
mount --bind /proc {root}/proc
mount --rbind /dev {root}/dev
ip link set lo up 2>/dev/null || true
exec chroot --userspec={user} {root} \
    /usr/bin/env --ignore-environment {variables} sh -c {script}
"""
SERVED = """
cd {folder}
{command} & server=$!
trap 'kill $server; wait $server' EXIT
for attempt in $(seq 120); do
    sleep 1
    if {health}; then echo healthy; exit 0; fi
done
exit 1
"""


@dataclass
class Stage:
    """A file system that grows by instructions."""

    root: Path
    folder: str = "/"
    user: str = "root"
    variables: dict[str, str] = field(
        default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    )
    health: str = ""
    entry: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def run(self, script: str, lent: Mapping[str, str], *, net: bool = True) -> str:
        """Run a shell script within; what it printed."""
        variables = {"DEBIAN_FRONTEND": "noninteractive"} | self.variables | dict(lent)
        within = WITHIN.format(
            root=shlex.quote(str(self.root)),
            user=self.user,
            variables=shlex.join(f"{k}={v}" for k, v in variables.items()),
            script=shlex.quote(f"cd {shlex.quote(self.folder)} && {script}"),
        )
        spaces = ["--mount"] if net else ["--mount", "--net", "--pid", "--fork"]
        ran = subprocess.run(
            ["unshare", *spaces, "sh", "-c", within],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert ran.returncode == 0, f"{script}\n{ran.stdout[-4000:]}"
        return ran.stdout

    def path(self, within: str) -> Path:
        return self.root / os.path.join(self.folder, within).lstrip("/")


def minbase(folder: Path) -> Path:
    """A minimal Debian, from where this machine has its packages."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"needs root, and {', '.join(TOOLS)}; {missing} missing")
    subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", folder],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


def index(folder: Path) -> Path:
    """A package index that has torch alone, as the CPU build of this environment."""
    place = folder / "torch"
    place.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--dest", place, f"torch=={version('torch')}"], check=True)
    (wheel,) = place.iterdir()
    (place / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    return folder


def built(base: Path, torch_index: Path, folder: Path) -> Stage:
    """The last stage of the CPU image."""
    lent = {name: value for name, value in os.environ.items() if LENT.fullmatch(name)}
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for kind, value in instructions("cpu.Dockerfile"):
        match kind:
            case "FROM":
                stage = Stage(folder / str(len(stages)))
                subprocess.run(["cp", "--archive", base, stage.root], check=True)
                shutil.copy("/etc/resolv.conf", stage.root / "etc/resolv.conf")
                shutil.copy(CERTIFICATES, stage.root / "lent.crt")
                shutil.copytree(torch_index, stage.root / "index")
                stages[value.partition(" AS ")[2] or "last"] = stage
                lent |= {"PIP_CERT": "/lent.crt"}
            case "ARG":
                assert value == "TORCH_INDEX"
                lent[value] = "file:///index"
            case "RUN":
                stage.run(value, lent)
            case "COPY":
                copy(stages, stage, value)
            case "ENV":
                stage.variables |= dict(
                    part.split("=", 1) for part in shlex.split(value)
                )
            case "WORKDIR":
                stage.folder = value
                stage.path(".").mkdir(parents=True, exist_ok=True)
            case "USER":
                stage.user = value
            case "HEALTHCHECK":
                stage.health = value.partition(" CMD ")[2]
            case "ENTRYPOINT":
                stage.entry = tuple(json.loads(value))
            case "CMD":
                stage.command = tuple(json.loads(value))
            case "VOLUME" | "EXPOSE":
                pass
            case _:
                raise AssertionError(f"no test of {kind} {value}")
    return stage


def copy(stages: Mapping[str, Stage], stage: Stage, value: str) -> None:
    """COPY: from another stage, or of the context as .dockerignore leaves it."""
    *sources, target = value.split()
    if sources[0].startswith("--from="):
        origin = stages[sources.pop(0).removeprefix("--from=")]
        subprocess.run(
            ["cp", "--archive", origin.path(sources[0]), stage.path(target)], check=True
        )
        return
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    wanted = kept if sources == ["."] else sources
    assert set(wanted) <= set(kept)
    tracked = subprocess.run(
        ["git", "ls-files", "-z", *wanted], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        place = stage.path(target) / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)


def answers(stage: Stage) -> None:
    """A key is made, the server starts, and the health check of the image succeeds."""
    command = shlex.join(stage.entry)
    assert "nvs_" in stage.run(f"{command} keys create laptop", {})
    script = SERVED.format(
        folder=stage.folder,
        command=shlex.join((*stage.entry, *stage.command)),
        health=stage.health,
    )
    assert "healthy" in stage.run(f"({script})", {}, net=False)


def test_the_cpu_image_answers_its_health_check(tmp_path: Path) -> None:
    base = minbase(tmp_path / "base")
    stage = built(base, index(tmp_path / "index"), tmp_path)
    assert stage.user == "nvs"
    answers(stage)
