"""A run from its settings to its files, by one process or by several ranks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from nvs.errors import DatasetError
from nvs.parallel.group import Group
from nvs.parallel.meeting import joined
from nvs.scene.precision import pick_device
from nvs_eval.methods import make_methods
from nvs_eval.metrics import Metrics
from nvs_eval.protocols.base import SceneFolder, find_scenes
from nvs_eval.runs.opening import begin
from nvs_eval.runs.records import (
    SceneRecord,
    load_scene,
    merge,
    safe_name,
    save_scene,
)
from nvs_eval.runs.scene_run import SceneRun
from nvs_eval.runs.settings import RunSettings

PATIENCE = timedelta(days=7)
"""How long a rank that is done waits for the others."""


def run(
    settings: RunSettings, *, report: Callable[[str], None] = lambda line: None
) -> SceneRecord:
    """Evaluate; go on where an earlier run with the same settings stopped.

    Scenes that failed are tried again. Of several ranks, each takes every n-th scene,
    and the files come out the same.

    Args:
        settings: What to evaluate.
        report: Called with a line a scene and a line a result.

    Returns:
        Everything that is in the run's files.

    Raises:
        ConfigError, WeightsUnavailableError, CheckpointError, OutputError: If the run
            cannot start.
        DatasetError: If not a single scene could be evaluated.
    """
    with joined(pick_device(settings.device), patience=PATIENCE) as group:
        return _run(settings, group, report)


def _run(
    settings: RunSettings, group: Group, report: Callable[[str], None]
) -> SceneRecord:
    out = Path(settings.out)
    protocol = settings.make_protocol()
    scene_list = None if settings.scenes is None else Path(settings.scenes)
    scenes = find_scenes([Path(p) for p in settings.data], scene_list)
    _check_file_names(scenes)
    with group.first_before_others():
        methods = make_methods(
            settings.methods,
            weights=settings.weights or [None],
            device=str(group.device),
            precision=settings.precision,
            compile=settings.compile,
            seed=settings.seed,
        )
    metrics = Metrics(
        group.device,
        lpips_files={"vgg": settings.lpips_vgg, "alex": settings.lpips_alex},
        require_lpips=settings.require_lpips,
    )
    decides: dict[str, Any] = {
        "protocol": protocol.name,
        "normalised by": protocol.normalise,
        "scenes": [scene.name for scene in scenes],
        "views": list(settings.view_counts),
        "sizes": [list(size) for size in settings.image_sizes],
        "methods": [{"name": m.name, **m.about} for m in methods],
        "lpips": list(metrics.sources),
        "seed": settings.seed,
        "pictures": settings.pictures,
    }
    constants = begin(
        out,
        metrics,
        decides=decides,
        settings=asdict(settings),
        constants={"protocol": protocol.name, "seed": settings.seed},
        write=group.is_first,
    )
    group.wait()
    work = SceneRun(
        out=out,
        protocol=protocol,
        methods=methods,
        metrics=metrics,
        view_counts=settings.view_counts,
        sizes=settings.image_sizes,
        pictures=settings.pictures,
        constants=constants,
        report=report,
    )
    _evaluate(work, scenes[group.rank :: group.size])
    group.wait()
    return _finish(out, scenes, constants["run"], group)


def _check_file_names(scenes: Sequence[SceneFolder]) -> None:
    taken: dict[str, str] = {}
    for scene in scenes:
        other = taken.setdefault(safe_name(scene.name), scene.name)
        if other != scene.name:
            raise DatasetError(
                f"the results of {other!r} and {scene.name!r} would have one name",
                remedy="Rename one; only letters, digits, `.`, `_` and `-` count.",
            )


def _evaluate(work: SceneRun, scenes: Sequence[SceneFolder]) -> None:
    for number, scene in enumerate(scenes, start=1):
        name = safe_name(scene.name)
        label = f"scene {number} of {len(scenes)}, {scene.name}"
        done = load_scene(work.out, name, work.constants["run"])
        if done is not None and not done.failures:
            work.report(f"{label}: done before")
            continue
        work.report(label)
        record = work.evaluate(scene)
        save_scene(work.out, name, record)
        for failure in record.failures:
            work.report(f"{label}: FAILED: {failure['error']}")


def _finish(
    out: Path, scenes: Sequence[SceneFolder], identity: str, group: Group
) -> SceneRecord:
    whole = SceneRecord(identity=identity)
    if group.is_first:
        whole = merge(out, [safe_name(scene.name) for scene in scenes], identity)
        if not whole.rows:
            first = whole.failures[0]["error"] if whole.failures else "no scenes"
            raise DatasetError(
                f"none of the {len(scenes)} scenes could be evaluated; the first: "
                f"{first}",
                remedy=f"See {out / 'failures.jsonl'}.",
            )
    return whole
