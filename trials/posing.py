"""Finding cameras of large photographs: memory, time, and how soon a cancel is obeyed.

    python -m trials.posing PHOTOS [--count 30] [--megapixels 12]

The photographs of a folder, enlarged to so many megapixels, go to an own `nvs serve`.
One scene of all of them is posed while the memory of the process that does it is
watched; then, for each stage, one of `FEW` is cancelled in it.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image
from rich.console import Console
from rich.table import Table

from tests.served import Served, end, start

STAGES = ("decode", "features", "matching", "mapping", "framing")
FEW = 8
"""Photographs of a scene that is cancelled."""
MARK_SECONDS = 2.0
"""From the request to cancel until the process is gone."""
POLL_SECONDS = 0.01
WATCH_SECONDS = 0.1
PRIORITY = 10
JPEG = {"Content-Type": "image/jpeg"}


@dataclass
class Watch:
    """The largest memory of a process so far, by the stage that it is in."""

    process: psutil.Process
    stage: str = "waiting"
    peak_bytes: dict[str, int] = field(default_factory=dict[str, int])
    is_over: bool = False

    def run(self) -> None:
        """Look until it is over."""
        while not self.is_over:
            try:
                used = self.process.memory_info().rss
            except psutil.NoSuchProcess:
                return
            self.peak_bytes[self.stage] = max(self.peak_bytes.get(self.stage, 0), used)
            time.sleep(WATCH_SECONDS)


def enlarged(photos: Path, folder: Path, count: int, megapixels: float) -> list[Path]:
    """Every so manieth photograph of a folder, in JPEG."""
    files = sorted(file for file in photos.iterdir() if file.suffix.lower() == ".jpg")
    chosen = files[:: max(1, len(files) // count)][:count]
    made: list[Path] = []
    for file in chosen:
        with Image.open(file) as image:
            factor = math.sqrt(megapixels * 1e6 / (image.width * image.height))
            size = (round(factor * image.width), round(factor * image.height))
            made.append(folder / file.name)
            image.resize(size, Image.Resampling.BICUBIC).save(made[-1], quality=92)
    return made


def uploaded(url: str, photographs: list[Path]) -> str:
    """The id of a new scene of photographs."""
    scene_id = httpx.post(f"{url}/v1/scenes", json={"name": "large"}).json()["id"]
    for file in photographs:
        path = f"{url}/v1/scenes/{scene_id}/images/{file.name}"
        httpx.put(
            path, content=file.read_bytes(), headers=JPEG, timeout=120
        ).raise_for_status()
    return scene_id


def poser(served: Served) -> psutil.Process:
    """The process that finds cameras: the inspector that is nice."""
    while True:
        for child in psutil.Process(served.pid).children():
            is_inspector = "nvs_server.compute.inspector" in child.cmdline()
            if is_inspector and child.nice() == PRIORITY:
                return child
        time.sleep(POLL_SECONDS)


def begun(url: str, scene_id: str) -> str:
    """The id of a posing."""
    answer = httpx.post(f"{url}/v1/scenes/{scene_id}/pose", json={})
    return answer.raise_for_status().json()["id"]


def job(url: str, job_id: str) -> dict[str, Any]:
    """How a job stands."""
    return httpx.get(f"{url}/v1/jobs/{job_id}", timeout=60).json()


def posed(served: Served, scene_id: str) -> tuple[Table, int, dict[str, Any]]:
    """Pose a scene to its end: time and memory by stage, peak bytes, the last state."""
    url = served.base_url
    job_id = begun(url, scene_id)
    watch = Watch(poser(served))
    thread = threading.Thread(target=watch.run)
    thread.start()
    entered: dict[str, float] = {}
    while True:
        now = job(url, job_id)
        if now["state"] == "running" and now["stage"] != watch.stage:
            watch.stage = now["stage"]
            entered[watch.stage] = time.monotonic()
        if now["state"] not in ("queued", "running"):
            break
        time.sleep(POLL_SECONDS)
    ended = time.monotonic()
    watch.is_over = True
    thread.join()
    table = Table("stage", "seconds", "peak MiB")
    leaves = [*list(entered.values())[1:], ended]
    for (stage, at), left in zip(entered.items(), leaves, strict=True):
        peak = watch.peak_bytes.get(stage, 0)
        table.add_row(stage, f"{left - at:.1f}", str(peak >> 20))
    whole = max(watch.peak_bytes.values(), default=0)
    table.add_row("all", f"{ended - min(entered.values()):.1f}", str(whole >> 20))
    return table, whole, now


def cancelled(served: Served, scene_id: str, stage: str) -> tuple[str, float, float]:
    """The stage a posing was in, seconds to the answer, and to the process's end."""
    url = served.base_url
    job_id = begun(url, scene_id)
    process = poser(served)
    while True:
        now = job(url, job_id)
        if now["stage"] == stage or now["state"] not in ("queued", "running"):
            break
        time.sleep(POLL_SECONDS)
    asked = time.monotonic()
    httpx.post(f"{url}/v1/jobs/{job_id}/cancel", timeout=60).raise_for_status()
    answered = time.monotonic() - asked
    while psutil.pid_exists(process.pid) and process.is_running():
        time.sleep(POLL_SECONDS)
    return now["stage"], answered, time.monotonic() - asked


def main() -> int:
    """Print what was measured; 1 if a mark was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--megapixels", type=float, default=12.0)
    asked = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="nvs-posing-") as folder:
        large = Path(folder) / "photos"
        large.mkdir()
        files = enlarged(asked.photos, large, asked.count, asked.megapixels)
        served = start(Path(folder) / "data", pose_threads=2)
        try:
            scene_id = uploaded(served.base_url, files)
            table, peak_bytes, last = posed(served, scene_id)
            console.print(table)
            num_posed = last["result"] and last["result"]["num_posed"]
            console.print(f"{last['state']}, {num_posed} of {len(files)} posed")
            slowest = 0.0
            table = Table("cancelled in", "answer, ms", "process gone, ms")
            few = uploaded(served.base_url, files[:FEW])
            for stage in STAGES:
                seen, answered, gone = cancelled(served, few, stage)
                slowest = max(slowest, gone)
                table.add_row(seen, f"{1e3 * answered:.0f}", f"{1e3 * gone:.0f}")
            console.print(table)
        finally:
            end(served)
    is_kept = slowest <= MARK_SECONDS and last["state"] == "succeeded"
    console.print(
        f"peak {peak_bytes >> 20} MiB, cancel {slowest:.2f} s (mark {MARK_SECONDS:g}): "
        + ("kept" if is_kept else "MISSED")
    )
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
