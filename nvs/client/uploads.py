"""Uploads: only what the service does not have yet, hashed, streamed, repeatable."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nvs.client.bodies import FileBody, Progress
from nvs.client.dataset_files import DatasetFiles, dataset_files, media_type
from nvs.client.models import CamerasReport, ImageFile, Scene
from nvs.client.scenes import asked, images, scene_path
from nvs.client.steps import Call, Flow, computed

T = TypeVar("T")

ZIP = "application/zip"


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadProgress:
    """How far an upload is."""

    name: str
    """The file at hand."""
    num_bytes: int
    """Its size."""
    done_bytes: int
    """What of it is sent."""
    is_skipped: bool
    """Whether the service has it already."""
    num_files: int
    """Files in all."""
    num_files_done: int
    """Files sent or skipped before this one."""


OnUpload = Callable[[UploadProgress], None]


def upload_image(
    scene_id: str, path: Path, name: str | None, on_progress: Progress | None
) -> Flow[ImageFile]:
    """Send one image."""
    body = yield from computed(lambda: FileBody.of(path, media_type(path), on_progress))
    return (yield from _put(ImageFile, scene_id, ("images", name or path.name), body))


def upload_dataset(
    scene_id: str, path: Path, on_progress: OnUpload | None
) -> Flow[CamerasReport]:
    """Send the images of a dataset that the service lacks, then its camera files."""
    files = yield from computed(lambda: dataset_files(path))
    present = {
        image.name: image.sha256 for image in (yield from images(scene_id)).items
    }
    num_files = len(files.images) + 1
    for index, (name, file) in enumerate(files.images):
        watch = _watch(on_progress, name, num_files, index)
        body = yield from computed(
            lambda file=file, watch=watch: FileBody.of(file, media_type(file), watch)
        )
        if present.get(name) != body.sha256:
            yield from _put(ImageFile, scene_id, ("images", name), body)
        elif on_progress is not None:
            on_progress(
                UploadProgress(
                    name=name,
                    num_bytes=body.num_bytes,
                    done_bytes=body.num_bytes,
                    is_skipped=True,
                    num_files=num_files,
                    num_files_done=index,
                )
            )
    watch = _watch(on_progress, "cameras", num_files, num_files - 1)
    return (yield from _upload_cameras(scene_id, files, watch))


def upload_zip(
    scene_id: str, path: Path, on_progress: Progress | None
) -> Flow[CamerasReport]:
    """Send a zip of a whole dataset; it replaces every file of the scene."""
    body = yield from computed(lambda: FileBody.of(path, ZIP, on_progress))
    return (yield from _put(CamerasReport, scene_id, ("dataset",), body))


def upload_scene_file(
    scene_id: str, path: Path, on_progress: Progress | None
) -> Flow[Scene]:
    """Send a scene file that was built elsewhere."""
    kind = "application/octet-stream"
    body = yield from computed(lambda: FileBody.of(path, kind, on_progress))
    return (yield from _put(Scene, scene_id, ("file",), body))


def upload_cameras(scene_id: str, path: Path) -> Flow[CamerasReport]:
    """Send a JSON camera file, or a zip of camera files."""
    kind = "application/json" if path.suffix == ".json" else ZIP
    body = yield from computed(lambda: FileBody.of(path, kind))
    return (yield from _put(CamerasReport, scene_id, ("cameras",), body))


def _upload_cameras(
    scene_id: str, files: DatasetFiles, on_progress: Progress | None
) -> Flow[CamerasReport]:
    file = files.cameras_json
    if file is not None:
        kind = "application/json"
        body = yield from computed(lambda: FileBody.of(file, kind, on_progress))
        return (yield from _put(CamerasReport, scene_id, ("cameras",), body))
    with tempfile.TemporaryDirectory(prefix="nvs-") as folder:
        archive = Path(folder) / "cameras.zip"
        yield from computed(lambda: _zip(archive, files.cameras))
        body = yield from computed(lambda: FileBody.of(archive, ZIP, on_progress))
        return (yield from _put(CamerasReport, scene_id, ("cameras",), body))


def _put(
    kind: type[T], scene_id: str, parts: tuple[str, ...], body: FileBody
) -> Flow[T]:
    path = scene_path(scene_id, *parts)
    return asked(kind, Call(method="PUT", path=path, body=body))


def _zip(archive: Path, files: Sequence[tuple[str, Path]]) -> None:
    with zipfile.ZipFile(
        archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
    ) as out:
        for name, file in files:
            out.write(file, name)


def _watch(
    on_progress: OnUpload | None, name: str, num_files: int, num_files_done: int
) -> Progress | None:
    if on_progress is None:
        return None

    def update(done_bytes: int, num_bytes: int) -> None:
        on_progress(
            UploadProgress(
                name=name,
                num_bytes=num_bytes,
                done_bytes=done_bytes,
                is_skipped=False,
                num_files=num_files,
                num_files_done=num_files_done,
            )
        )

    return update
