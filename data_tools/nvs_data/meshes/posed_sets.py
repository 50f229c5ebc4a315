"""Posed sets of renders in the layout of the published data, made in parallel.

    folder/opencv_cameras.json        a list, one entry a view: w, h, fx, fy, cx, cy,
                                      w2c (4×4, OpenCV axes), file_path
    folder/renderings/00000000_rgba.png, …

A set appears under its name only when it is complete, so that a run that was stopped
can be repeated and does the rest.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import torch

from nvs.cameras.camera import Camera
from nvs.cameras.se3 import se3_inverse
from nvs.errors import DatasetError, NvsError, OutputError
from nvs.files import atomic_output
from nvs.scene.opencv_layout import OpenCVReader, frame_entry
from nvs.scene.pictures import encoded
from nvs_data.meshes.load import Mesh, load_mesh
from nvs_data.meshes.render import render_views
from nvs_data.meshes.sources import MeshSource

Rig = Callable[[str], Camera]
"""Cameras for the object of a name; picklable, such as `partial(named_rig, rig="gso")`.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetResult:
    """What became of one model."""

    name: str
    """The model's name, which is also its folder's."""
    status: Literal["rendered", "present", "failed"]
    """`present` if a complete set was there already."""
    problem: str = ""
    """What is wrong and what to do about it, if it failed."""
    seconds: float = 0.0
    """Time taken to load and render."""


def render_set(mesh: Mesh, camera: Camera, folder: Path) -> bool:
    """Render a mesh from every camera into a new folder.

    Returns:
        False if the folder already holds exactly this set; nothing is done then.

    Raises:
        OutputError: If the folder holds anything else, or cannot be written.
        NvsError: If nothing can be drawn on this machine.
    """
    if is_complete(camera, folder):
        return False
    with atomic_output(folder) as unfinished:
        (unfinished / "renderings").mkdir(parents=True)
        entries = _entries(camera)
        for entry, rgba in zip(entries, render_views(mesh, camera), strict=True):
            (unfinished / entry["file_path"]).write_bytes(encoded(rgba))
        text = json.dumps(entries, indent=1) + "\n"
        (unfinished / OpenCVReader.file_name).write_text(text)
    return True


def is_complete(camera: Camera, folder: Path) -> bool:
    """Whether a folder holds a picture for exactly these cameras.

    Raises:
        OutputError: If there is a folder with other contents, which is left alone.
    """
    if not folder.exists():
        return False
    entries = _entries(camera)
    try:
        present = json.loads((folder / OpenCVReader.file_name).read_text())
    except (OSError, ValueError):
        present = None
    missing = [
        e["file_path"] for e in entries if not (folder / e["file_path"]).exists()
    ]
    if present == entries and not missing:
        return True
    problem = f"lacks {missing[0]}" if missing else "holds pictures from other cameras"
    raise OutputError(
        f"{folder} exists but {problem}",
        remedy="Delete it to render it again, or choose another folder.",
    )


def render_all(
    sources: Sequence[MeshSource],
    out: Path,
    *,
    rig: Rig,
    jobs: int = 1,
    up: Literal["y", "z"] = "y",
    progress: Callable[[SetResult], None] | None = None,
) -> list[SetResult]:
    """Render many models, each into `out/NAME`; one that fails does not stop the rest.

    Args:
        sources: From `find_meshes`.
        out: Made if it does not exist.
        rig: Which cameras an object gets.
        jobs: Processes to use; each draws with one thread if there are several.
        up: Vertical axis of the models.
        progress: Called in this process after each model.

    Returns:
        One result a model, in the order of `sources`.

    Raises:
        DatasetError: If two models have one name.
        NvsError: If nothing can be drawn on this machine, or a process dies.
    """
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise DatasetError(
                f"two models are called {name!r}",
                remedy="Render them into different folders, or rename one.",
            )
    task = partial(_render_one, out=out, rig=rig, up=up)
    results: dict[str, SetResult] = {}
    for result in _run(task, sources, jobs):
        results[result.name] = result
        if progress is not None:
            progress(result)
    return [results[name] for name in names]


def _run(
    task: Callable[[MeshSource], SetResult], sources: Sequence[MeshSource], jobs: int
) -> Iterator[SetResult]:
    if jobs <= 1 or len(sources) <= 1:
        yield from map(task, sources)
        return
    # A forked child cannot use its parent's OpenGL or thread pools.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(jobs, len(sources)), mp_context=spawn, initializer=_use_one_thread
    ) as pool:
        pending = [pool.submit(task, source) for source in sources]
        try:
            for done in as_completed(pending):
                yield done.result()
        except BrokenProcessPool as error:
            raise NvsError(
                "a rendering process was killed, perhaps for lack of memory",
                remedy="Run again with fewer jobs; finished sets are kept.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _use_one_thread() -> None:
    os.environ["LP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _render_one(
    source: MeshSource, *, out: Path, rig: Rig, up: Literal["y", "z"]
) -> SetResult:
    start = time.perf_counter()
    camera, folder = rig(source.name), out / source.name
    try:
        if is_complete(camera, folder):
            return SetResult(name=source.name, status="present")
        render_set(load_mesh(source, up=up), camera, folder)
    except (DatasetError, OutputError) as error:
        return SetResult(name=source.name, status="failed", problem=str(error))
    seconds = time.perf_counter() - start
    return SetResult(name=source.name, status="rendered", seconds=seconds)


def _entries(camera: Camera) -> list[dict[str, Any]]:
    camera = camera.to("cpu", torch.float64)
    return [
        frame_entry(
            f"renderings/{index:08d}_rgba.png",
            view,
            se3_inverse(view.world_from_camera[0]),
        )
        for index, view in enumerate(camera)
    ]
