"""Freed memory is taken again, not mapped anew; waiting threads sleep."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from nvs.process import let_threads_sleep

SPIN = {"OMP_WAIT_POLICY": "active"}
SCRIPT = """
import resource, sys, torch
from nvs.process import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        torch.zeros(4 * 2**20 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def page_faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how],
        capture_output=True,
        text=True,
        check=True,
        env={"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"},
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_freed_memory_is_kept() -> None:
    assert page_faults("keep") < page_faults("return") / 10


@pytest.mark.parametrize(("before", "after"), [({}, "passive"), (SPIN, "active")])
def test_threads_sleep_unless_the_environment_says_otherwise(
    before: dict[str, str], after: str
) -> None:
    environment = dict(before)
    let_threads_sleep(environment)
    assert environment["OMP_WAIT_POLICY"] == after


def test_commands_let_their_threads_sleep() -> None:
    """What OpenMP says it found when a command loads torch."""
    done = subprocess.run(
        [sys.executable, "-m", "nvs.cli", "weights", "info", "lact_small"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OMP_DISPLAY_ENV": "true"},
    )
    assert re.search(r"OMP_WAIT_POLICY *= *'?PASSIVE", done.stderr)


UNCOMPILED = """
import sys
from nvs.assets import SAMPLE
from nvs.scene import Renderer, load_views
views = load_views(SAMPLE, size=32, views=[0, 5])
for precision in ("float32", "bfloat16"):
    renderer = Renderer.from_weights(device="cpu", precision=precision)
    renderer.render(renderer.prefill(views), views.camera)
assert "torch._dynamo" not in sys.modules
"""


def test_building_and_rendering_load_no_compiler() -> None:
    """Which takes longer than a small scene."""
    subprocess.run([sys.executable, "-c", UNCOMPILED], check=True)
