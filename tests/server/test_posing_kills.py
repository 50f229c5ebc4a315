"""SIGKILL for the process that finds cameras and for the gateway, in every stage."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image

from tests.data_tools.test_posing import photograph, walk
from tests.served import Served

pytest.importorskip("pycolmap")

STAGES = ["decode", "features", "matching", "mapping", "framing"]
NUM_PHOTOGRAPHS = 6
WAIT_SECONDS = 600
TIFF = {"Content-Type": "image/tiff"}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a room; TIFFs so large that each stage takes a while."""
    folder = tmp_path_factory.mktemp("photographs")
    for view, camera in enumerate(walk(NUM_PHOTOGRAPHS)):
        image = Image.fromarray(photograph(camera)).resize((1280, 960))
        image.save(folder / f"{view}.tiff")
    return folder


def poser_of(served: Served) -> psutil.Process:
    """The process at work: the inspector that is nice."""
    for child in psutil.Process(served.pid).children():
        if "nvs_server.compute.inspector" in child.cmdline() and child.nice() == 10:
            return child
    raise AssertionError("nobody finds cameras")


def reached(url: str, job_id: str, stage: str) -> dict[str, Any]:
    """The job once it runs in a stage, or has ended."""
    begun = time.monotonic()
    while True:
        job = httpx.get(f"{url}/v1/jobs/{job_id}").json()
        is_there = (job["state"], job["stage"]) == ("running", stage)
        if is_there or job["state"] in ("succeeded", "failed", "cancelled"):
            return job
        assert time.monotonic() - begun < WAIT_SECONDS, job
        time.sleep(0.03)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_is_killed_in_a_stage_goes_on(
    serve: Callable[..., Served],
    photographs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    folder, settings = tmp_path / "data", {"lease_seconds": 2, "pose_threads": 2}
    served = serve(data_folder=folder, **settings)
    say("\nstage     killed   seen in    then       attempts  posed  seconds")
    for stage in STAGES:
        for victim in ("poser", "gateway"):
            scenes = f"{served.base_url}/v1/scenes"
            name = f"{victim} in {stage}"
            scene_id = httpx.post(scenes, json={"name": name}).json()["id"]
            for file in photographs.iterdir():
                path = f"{scenes}/{scene_id}/images/{file.name}"
                answer = httpx.put(
                    path,
                    content=file.read_bytes(),
                    headers={"Content-Type": "image/tiff"},
                )
                assert answer.status_code == 201, answer.text
            request = {"camera_model": "PINHOLE", "max_image_px": 320}
            job = httpx.post(f"{scenes}/{scene_id}/pose", json=request).json()
            seen = reached(served.base_url, job["id"], stage)
            begun = time.monotonic()
            if victim == "poser":
                poser_of(served).kill()
            else:
                os.kill(served.pid, signal.SIGKILL)
                served.process.wait()
                served = serve(data_folder=folder, **settings)
            ended = reached(served.base_url, job["id"], "none")
            seconds = time.monotonic() - begun
            scene = httpx.get(f"{served.base_url}/v1/scenes/{scene_id}").json()
            num_posed = scene["posing"] and scene["posing"]["num_posed"]
            say(
                f"{stage:9} {victim:8} {seen['stage']:10} {ended['state']:10} "
                f"{ended['attempts']:8}  {num_posed!s:5}  {seconds:7.1f}",
            )
            assert scene["num_images"] >= NUM_PHOTOGRAPHS
            assert (ended["state"], num_posed) == ("succeeded", NUM_PHOTOGRAPHS), ended
            assert (seen["stage"], ended["attempts"]) == (stage, 2)
