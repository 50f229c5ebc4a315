"""One scene of a run: every size, view count and method."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvs.scene import PosedViews, load_views
from nvs_eval.methods import Method, synchronise
from nvs_eval.metrics import Metrics, summarise
from nvs_eval.protocols.base import Protocol, SceneFolder, Split
from nvs_eval.runs.opening import data_hash
from nvs_eval.runs.records import (
    FAILURES,
    Row,
    SceneRecord,
    failure,
    picture_folder,
    picture_name,
    write_picture,
)


@dataclass(frozen=True, kw_only=True)
class SceneRun:
    """What the scenes of a run have in common."""

    out: Path
    """Folder of the run."""
    protocol: Protocol
    """Says which views are used for what."""
    methods: Sequence[Method]
    """What is evaluated."""
    metrics: Metrics
    """How it is measured."""
    view_counts: Sequence[int]
    """Numbers of input views."""
    sizes: Sequence[tuple[int, int]]
    """(height, width) in pixels."""
    pictures: int
    """How many targets are kept as pictures; -1 for all."""
    constants: Mapping[str, Any]
    """What every row says: protocol, seed, identity of the run, versions, machine."""
    report: Callable[[str], None]
    """Called with a line a result."""

    def evaluate(self, scene: SceneFolder) -> SceneRecord:
        """Rows, timings and failures of a scene; it fails without raising."""
        record = SceneRecord(identity=self.constants["run"])
        try:
            split = self.protocol.split(scene, self.view_counts)
        except FAILURES as error:
            record.failures.append(failure(scene.name, error))
            return record
        for count, why in split.impossible.items():
            record.failures.append(
                {"scene": scene.name, "num_views": count, "error": why}
            )
        for size in self.sizes:
            try:
                self._size(record, scene, split, size)
            except FAILURES as error:
                where = {"height": size[0], "width": size[1]}
                record.failures.append(failure(scene.name, error, **where))
        return record

    def _size(
        self,
        record: SceneRecord,
        scene: SceneFolder,
        split: Split,
        size: tuple[int, int],
    ) -> None:
        used = sorted({v for views in split.inputs.values() for v in views})
        frames = [*used, *split.targets]
        patch = math.lcm(*(method.patch_size for method in self.methods))
        views = load_views(scene.path, size=size, patch_size=patch, views=frames)
        targets = views[list(range(len(used), len(frames)))]
        truth = targets.image.permute(0, 2, 3, 1).numpy()
        height, width = size = (views.camera.height, views.camera.width)
        folder = picture_folder(self.out, size, scene.name)
        for number in self._kept(targets):
            write_picture(folder, targets.names[number], truth[number])
        for count, inputs in split.inputs.items():
            chosen = views[[used.index(view) for view in inputs]]
            known = {
                "index_sha256": split.hashes[count],
                "data_sha256": data_hash(chosen, targets),
            }
            for method in self.methods:
                where = {
                    "height": height,
                    "width": width,
                    "num_views": count,
                    "method": method.name,
                }
                try:
                    row, timing = self._method(scene, method, chosen, targets, where)
                except FAILURES as error:
                    record.failures.append(failure(scene.name, error, **where))
                    continue
                record.rows.append(row | known)
                record.timings.append(timing)
                self.report(
                    f"  {height}×{width}, {count} views, {method.name}: "
                    f"{row['psnr']:.2f} dB"
                )

    def _method(
        self,
        scene: SceneFolder,
        method: Method,
        inputs: PosedViews,
        targets: PosedViews,
        where: Mapping[str, Any],
    ) -> tuple[Row, Row]:
        normalisation = self.protocol.normalisation(inputs.camera, targets.camera)
        start = time.perf_counter()
        built = method.build(inputs, normalisation)
        synchronise(method)
        prefill_seconds = time.perf_counter() - start
        start = time.perf_counter()
        renders = [image.cpu().numpy() for image in built.render(targets.camera)]
        synchronise(method)
        render_seconds = time.perf_counter() - start

        kept = self._kept(targets)
        truth = targets.image.permute(0, 2, 3, 1).numpy()
        folder = picture_folder(
            self.out,
            (targets.camera.height, targets.camera.width),
            scene.name,
            num_views=where["num_views"],
            method=method.name,
        )
        for number in kept:
            write_picture(folder, targets.names[number], renders[number])
        values = [self.metrics(r, t) for r, t in zip(renders, truth, strict=True)]
        row: Row = {
            "scene": scene.name,
            **where,
            **summarise(values),
            "num_inputs": len(inputs),
            "inputs": list(inputs.names),
            "targets": list(targets.names),
            "pictures": [picture_name(targets.names[number]) for number in kept],
            "normalised_by": self.protocol.normalise,
            **{key: value for key, value in method.about.items() if key != "method"},
            **self.constants,
        }
        timing: Row = {
            "scene": scene.name,
            **where,
            "prefill_seconds": prefill_seconds,
            "milliseconds_per_frame": 1000 * render_seconds / len(renders),
            "state_bytes": built.state_bytes,
            "machine": self.constants["machine"],
        }
        return row, timing

    def _kept(self, targets: PosedViews) -> range:
        count = len(targets) if self.pictures < 0 else self.pictures
        return range(min(count, len(targets)))
