"""Finding the cameras of a stranger's photographs, or of frames of a video.

In the folder of an order, `photos` has links to the photographs and frames, numbered in
their order; `masks` their masks, by the same numbers; `frames` the frames of the video;
`posed` what `nvs_data.posing` writes, which a run that was ended leaves to the next;
`result` the files for the scene, by their paths.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image

from nvs.api.cameras import PosedCamera
from nvs.api.jobs import JobStage
from nvs.api.names import POSED_FOLDER
from nvs.api.posing import LeftOutPhoto, PlacedPhoto, Posing, PosingSketch
from nvs.errors import NvsError
from nvs.file_kinds import MASK_FOLDERS, mask_name
from nvs.files import atomic_output, file_sha256, write_text
from nvs.scene.image_files import ImageFiles
from nvs_data import colmap_run
from nvs_data.colmap_run import Progress, import_pycolmap
from nvs_data.photos import natural
from nvs_data.posed_capture import PosedCapture, describe
from nvs_data.posing import PosingReport, pose
from nvs_data.video import extract_frames
from nvs_server.compute.orders import FoundCameras, PoseOrder
from nvs_server.storage.records import FileKind, FileRecord

IMAGE_FOLDER = "images"
"""Names in a model are relative to it, where the scene has it."""
MODEL = "sparse/0"
MODEL_FILES = ("cameras.bin", "images.bin")
NOTES = "posing.json"
"""Beside a model; readers of it find there what is up by gravity."""

SKETCH_SECONDS = 0.5
"""Shortest pause between two sketches of the cameras."""
DIGITS = 4
"""Of the numbers in a sketch, behind the point."""

Tick = Callable[[JobStage, float, PosingSketch | None], None]


def find_cameras(order: PoseOrder, num_threads: int | None, tick: Tick) -> FoundCameras:
    """Find cameras; what an earlier call in the same folder has found is kept.

    Args:
        order: The photographs, and how.
        num_threads: One a core if None.
        tick: Called with the stage, how much of it is done, in [0, 1], and news of
            the cameras, if there are any.

    Raises:
        DatasetError: If they cannot be posed, naming photographs as the scene does.
    """
    tick("decode", 0.0, None)
    named: dict[str, str] = {}
    photos, posed = order.folder / "photos", order.folder / "posed"
    called = {order.video: "the video", photos: "the scene", posed / "images": "it"}
    try:
        named = _lay_out(order, photos)
        sketcher = _Sketcher(named, tick)
        _lay_out_masks(order, named)
        report = pose(
            photos,
            posed,
            matching=order.request.matching,
            camera_model=order.request.camera_model,
            max_image_px=order.request.max_image_px,
            use_masks=order.request.use_masks,
            num_threads=num_threads,
            progress=sketcher.follow,
        )
        sketcher.end(_left_out(report, named))
        capture = describe(posed)
    except NvsError as error:
        for path, name in called.items():
            error.detail = error.detail.replace(str(path), name)
        if error.subject is not None and Path(error.subject).parent == _masks(order):
            masked = named[Path(error.subject).stem]
            error.detail = f"the mask of {masked}: {error.detail}"
        error.subject = None
        raise
    files = _files_of_scene(order, report, named)
    return FoundCameras(files=files, posing=_posing(report, capture, named))


class _Sketcher:
    """Tells how far a posing is, and the cameras that it has found.

    Args:
        named: Paths of the photographs in the scene by their stems.
        tick: Who is told.
    """

    def __init__(self, named: Mapping[str, str], tick: Tick) -> None:
        self._named = named
        self._tick = tick
        self._placed: tuple[colmap_run.PlacedPhoto, ...] = ()
        self._told_at = time.monotonic()
        self._tell("decode", 0.0)

    def follow(self, at: Progress) -> None:
        """Take the progress of the posing."""
        self._placed = at.placed or self._placed
        done = at.done / max(1, at.total)
        if at.placed and time.monotonic() - self._told_at > SKETCH_SECONDS:
            self._tell(at.stage, done)
        else:
            self._tick(at.stage, done, None)

    def end(self, left_out: Sequence[LeftOutPhoto]) -> None:
        """The cameras are found, of all but some."""
        self._tell("framing", 0.0, left_out)

    def _tell(
        self,
        stage: JobStage,
        fraction: float,
        left_out: Sequence[LeftOutPhoto] = (),
    ) -> None:
        self._told_at = time.monotonic()
        sketch = PosingSketch(
            photographs=[*self._named.values()],
            placed=[_sketched(photo, self._named) for photo in self._placed],
            left_out=[*left_out],
        )
        self._tick(stage, fraction, sketch)


def _sketched(photo: colmap_run.PlacedPhoto, named: Mapping[str, str]) -> PlacedPhoto:
    return PlacedPhoto(
        name=named[Path(photo.name).stem],
        camera=PosedCamera(
            world_from_camera=[
                [round(number, DIGITS) for number in row]
                for row in photo.world_from_camera
            ],
            fx=round(photo.fx, DIGITS),
            fy=round(photo.fy, DIGITS),
            cx=round(photo.cx, DIGITS),
            cy=round(photo.cy, DIGITS),
        ),
        height=photo.height,
        width=photo.width,
    )


def _lay_out(order: PoseOrder, photos: Path) -> dict[str, str]:
    """Put photographs into one folder; their paths in the scene by their stems there.

    A frame of the video has none before it is posed, and gets the one it will have.
    """
    shutil.rmtree(photos, ignore_errors=True)
    photos.mkdir(parents=True)
    named: dict[str, str] = {}
    for path in sorted(order.photographs, key=lambda path: (natural(path), path)):
        stem = f"{len(named):05d}"
        (photos / f"{stem}{Path(path).suffix}").symlink_to(order.photographs[path])
        named[stem] = path
    if order.video is not None:
        frames = order.folder / "frames"
        if not frames.is_dir():
            with atomic_output(frames) as folder:
                extract_frames(order.video, folder, count=order.request.num_frames)
        for frame in sorted(frames.iterdir()):
            stem = f"{len(named):05d}"
            (photos / f"{stem}{frame.suffix}").symlink_to(frame)
            named[stem] = f"{POSED_FOLDER}/{stem}{frame.suffix}"
    return named


def _lay_out_masks(order: PoseOrder, named: Mapping[str, str]) -> None:
    """Put the masks of photographs where posing looks for them.

    Which mask is whose shows where all lie by their paths in the scene; the photographs
    need not be there for that.
    """
    shutil.rmtree(_masks(order), ignore_errors=True)
    if not order.masks:
        return
    with tempfile.TemporaryDirectory(dir=order.folder) as name:
        scene = Path(name).resolve()
        for path in (*order.photographs, *order.masks):
            (scene / path).parent.mkdir(parents=True, exist_ok=True)
            (scene / path).touch()
        files = ImageFiles(scene)
        _masks(order).mkdir()
        for stem, path in named.items():
            mask = path in order.photographs and files.mask(scene / path)
            if mask:
                source = order.masks[mask.relative_to(scene).as_posix()]
                shutil.copyfile(source, _masks(order) / f"{stem}{mask.suffix}")


def _masks(order: PoseOrder) -> Path:
    return order.folder / MASK_FOLDERS[0]


def _files_of_scene(
    order: PoseOrder, report: PosingReport, named: Mapping[str, str]
) -> tuple[FileRecord, ...]:
    """Write what the scene gets: the model, and photographs that are not upright there.

    Its images are called by their paths in the scene, as readers of COLMAP look for
    them.
    """
    result = order.result
    shutil.rmtree(result, ignore_errors=True)
    prefix = f"{IMAGE_FOLDER}/"
    base = prefix if any(p.startswith(prefix) for p in order.photographs) else ""
    colmap = import_pycolmap()
    model = colmap.Reconstruction(str(report.folder / MODEL))
    images: list[FileRecord] = []
    for image in model.images.values():
        prepared = report.folder / "images" / image.name
        path = named[prepared.stem]
        original = order.photographs.get(path)
        is_as_uploaded = (
            original is not None
            and path.startswith(base)
            and filecmp.cmp(original, prepared, shallow=False)
        )
        if not is_as_uploaded:
            path = f"{base}{POSED_FOLDER}/{prepared.name}"
            images.append(_stored(prepared, result, path, "image"))
            mask = report.folder / MASK_FOLDERS[0] / f"{prepared.name}.png"
            if mask.exists():
                images.append(_stored(mask, result, mask_name(path), "image"))
        image.name = path.removeprefix(base)
    (result / MODEL).mkdir(parents=True)
    model.write_binary(str(result / MODEL))
    cameras = [
        _stored(result / MODEL / name, result, f"{MODEL}/{name}", "cameras")
        for name in MODEL_FILES
    ]
    if report.up is not None:
        write_text(result / NOTES, json.dumps({"up": report.up}))
        cameras.append(_stored(result / NOTES, result, NOTES, "cameras"))
    return (*cameras, *images)


def _stored(file: Path, result: Path, path: str, kind: FileKind) -> FileRecord:
    """A file at its place in the result."""
    target = result / path
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, target)
    height = width = None
    if kind == "image":
        with Image.open(target) as image:
            width, height = image.size
    return FileRecord(
        path=path,
        kind=kind,
        sha256=file_sha256(target),
        num_bytes=target.stat().st_size,
        height=height,
        width=width,
    )


def _posing(
    report: PosingReport, capture: PosedCapture, named: Mapping[str, str]
) -> Posing:
    num_posed = len(report.registered)
    left_out = _left_out(report, named)
    return Posing(
        num_photographs=num_posed + len(left_out),
        num_posed=num_posed,
        left_out=left_out,
        reprojection_error_px=report.mean_error_px,
        kind=capture.kind,
        coverage=capture.coverage,
        hfov_degrees=capture.hfov_degrees,
        focal_px=capture.focal_px,
        width=capture.width,
        is_turntable=capture.is_turntable,
        notes=_notes(capture, num_posed, len(left_out)),
    )


def _left_out(report: PosingReport, named: Mapping[str, str]) -> list[LeftOutPhoto]:
    return [
        LeftOutPhoto(name=named.get(Path(one.name).stem, one.name), reason=one.reason)
        for one in (*report.dropped, *report.left_out)
    ]


def _notes(capture: PosedCapture, num_posed: int, num_left_out: int) -> list[str]:
    notes: list[str] = []
    if capture.is_turntable:
        notes.append(
            "the background stays where it is though the views differ: if the thing "
            "was turned before a still camera, take photographs around it instead, or "
            "before a plain backdrop"
        )
    if capture.kind == "forward-facing":
        notes.append(
            "all views face the same way: walk only a little to the sides; weights for "
            "objects need views from all around"
        )
    if num_left_out > num_posed:
        notes.append(
            "most photographs have no camera: take more in between, each sharing most "
            "of its content with the one before"
        )
    return notes
