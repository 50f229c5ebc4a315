"""The server keeps to its own OpenAPI, whatever Schemathesis makes of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.hostile.conftest import watched
from tests.server.hostile.target import Target

HERE = Path(__file__).parent
COMMAND = Path(sys.executable).with_name("schemathesis")
NOT_HERE = "ensure_resource_availability"
"""A scene is made empty: its cameras and its file are 404 right after its POST."""
METHODS = {"get", "put", "post", "patch", "delete", "head"}
TIMEOUT_SECONDS = 1200
VIDEO = {"trajectory": {"kind": "walk", "num_frames": 1}, "height": 16, "width": 16}


@pytest.fixture(scope="module")
def variables(target: Target) -> dict[str, str]:
    """A key of an owner with one scene that is ready and one video."""
    target.key("fuzzer", "fay")
    file = target.call("GET", f"/v1/scenes/{target.scene_id}/file").content
    scene = target.call("POST", "/v1/scenes", json={"name": "x"}, key="fuzzer").json()
    path = f"/v1/scenes/{scene['id']}"
    put = target.call(
        "PUT",
        f"{path}/file",
        content=file,
        headers={"Content-Type": "application/octet-stream"},
        key="fuzzer",
    )
    assert put.status_code == 200, put.text
    job = target.call("POST", f"{path}/videos", json=VIDEO, key="fuzzer").json()
    assert watched(target, job["id"], key="fuzzer")["state"] == "succeeded"
    return {
        "FUZZ_HOOKS": str(HERE / "hooks.py"),
        "FUZZ_KEY": target.secrets["fuzzer"],
        "FUZZ_SCENE": scene["id"],
        "FUZZ_JOB": job["id"],
    }


def fuzz(target: Target, variables: dict[str, str], folder: Path, *options: str) -> str:
    """Run Schemathesis over the whole API, in a folder; what it says."""
    ended = subprocess.run(
        [
            *(str(COMMAND), "--config-file", str(HERE / "schemathesis.toml"), "run"),
            f"{target.served.base_url}/openapi.json",
            *("--no-color", "--seed", "1", "--checks", "all"),
            *("--exclude-checks", NOT_HERE, *options),
        ],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        cwd=folder,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr
    return ended.stdout


def num_operations(output: str) -> int:
    """How many operations were tested."""
    found = re.search(r"Tested: (\d+)", output)
    assert found is not None, output
    return int(found[1])


def operations_of(target: Target) -> int:
    """How many operations the document lists."""
    paths = target.call("GET", "/openapi.json").json()["paths"].values()
    return sum(len(METHODS & path.keys()) for path in paths)


def test_fuzzed_for_a_moment(
    target: Target, variables: dict[str, str], tmp_path: Path
) -> None:
    output = fuzz(
        target, variables, tmp_path, "--phases", "fuzzing,stateful", "-n", "3"
    )
    assert num_operations(output) == operations_of(target)


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_SECONDS + 120)
def test_fuzzed_for_long(
    target: Target, variables: dict[str, str], tmp_path: Path
) -> None:
    output = fuzz(
        target,
        variables,
        tmp_path,
        *("--phases", "examples,coverage,fuzzing,stateful", "-n", "30"),
    )
    assert num_operations(output) == operations_of(target)
