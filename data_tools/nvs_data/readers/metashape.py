"""Metashape: the XML file of its cameras beside the photographs.

Notation, of Agisoft's manual, appendix "Camera models": f is the focal length, b1 what
that along x has more, cx and cy the principal point, from the middle of the image, all
in pixels; k and p are as OpenCV's, but that p1 and p2 change places. Poses are chunk
from camera in OpenCV's axes, row by row.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.json_record import MAX_SIDE_PX
from nvs.cameras.se3 import rigid
from nvs.errors import CameraError, DatasetError, NvsError, about, reason
from nvs.scene.dataset_files import is_file, read_text
from nvs.scene.frames import Dataset, Frame
from nvs.scene.image_files import ImageFiles, shortened
from nvs_data.frames import lens_frame
from nvs_data.undistort import BrownLens, FisheyeLens, Intrinsics, Lens

IMAGE_FOLDERS = ("images", "")
FISHEYE_TYPES = ("fisheye", "equidistant_fisheye")
_HEAD = re.compile(r"<document\b[^>]*>\s*<chunk\b")
_HEAD_BYTES = 2048


@dataclass(frozen=True, slots=True)
class _Sensor:
    height: int
    width: int
    intrinsics: Intrinsics
    lens: Lens | None


class MetashapeReader:
    """Reads the one XML file of a folder that Metashape's "Export Cameras" wrote.

    Images are looked for by the labels of the cameras, in `images` and beside the
    file. Of several components the largest is read.
    """

    name = "metashape"

    def recognises(self, path: Path) -> bool:
        """Whether this is such a file, or has one and no `transforms.json`."""
        return not is_file(path / "transforms.json") and _file(path) is not None

    def read(self, path: Path) -> Dataset:
        """The frames in file order."""
        file = _file(path)
        if file is None:
            raise DatasetError(
                "no file of Metashape's cameras",
                remedy="Name one XML file that its Export Cameras wrote.",
                subject=path,
            )
        with about(file):
            return _dataset(_chunk(file), ImageFiles(file.parent))


def _file(path: Path) -> Path | None:
    try:
        files = sorted(path.glob("*.xml")) if path.is_dir() else [path]
        files = [file for file in files if _is_cameras(file)]
    except OSError:
        return None
    return files[0] if len(files) == 1 else None


def _is_cameras(file: Path) -> bool:
    if file.suffix.lower() != ".xml" or file.name.startswith(".") or not is_file(file):
        return False
    try:
        return bool(_HEAD.search(read_text(file, limit_bytes=_HEAD_BYTES)))
    except NvsError:
        return False


def _chunk(file: Path) -> ElementTree.Element:
    text = read_text(file)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DatasetError(
            "it defines a document type", remedy="Export the cameras again."
        )
    try:
        # A declared encoding is that of the bytes, which are text already.
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml.*?\?>", "", text))
    except ElementTree.ParseError as error:
        raise DatasetError(
            f"not readable XML ({reason(error)})", remedy="Export the cameras again."
        ) from error
    chunks = root.findall("chunk")
    if len(chunks) != 1:
        raise DatasetError(
            f"it has {len(chunks)} chunks", remedy="Export the cameras of one chunk."
        )
    return chunks[0]


def _dataset(chunk: ElementTree.Element, images: ImageFiles) -> Dataset:
    aligned: defaultdict[str, list[ElementTree.Element]] = defaultdict(list)
    notes = []
    others = []
    for camera in chunk.iterfind("cameras//camera"):
        if camera.get("enabled", "1") in ("0", "false") or not _has_pose(camera):
            others.append(camera.get("label", ""))
        else:
            aligned[camera.get("component_id", "")].append(camera)
    if not aligned:
        raise DatasetError(
            "none of its cameras is aligned", remedy="Align the photos, export again."
        )
    component, cameras = max(aligned.items(), key=lambda item: len(item[1]))
    if others:
        notes.append(
            f"{len(others)} of {len(others) + sum(map(len, aligned.values()))} cameras "
            "are disabled or not aligned, and not used: "
            f"{shortened(others)}"
        )
    if len(aligned) > 1:
        rest = [f"{key} ({len(of)})" for key, of in aligned.items() if key != component]
        notes.append(
            f"the largest component, {component} ({len(cameras)} cameras), is read; "
            f"not used: {shortened(rest)}"
        )
    sensors = _Sensors(chunk)
    chunk_from_component = _component(chunk, component)
    frames: list[Frame] = []
    for element in cameras:
        label = element.get("label", "")
        found = images.find(label, within=IMAGE_FOLDERS)
        if found is not None:
            sensor = sensors.of(element)
            pose = _tensor(element, "transform", 16)
            camera = Camera(
                world_from_camera=(chunk_from_component @ pose.reshape(4, 4))[None],
                intrinsics=torch.tensor([sensor.intrinsics], dtype=torch.float64),
                height=sensor.height,
                width=sensor.width,
            )
            mask = images.mask(found)
            frames.append(lens_frame(label, found, camera, sensor.lens, mask))
    return images.dataset(frames, notes=notes)


def _has_pose(camera: ElementTree.Element) -> bool:
    return bool(camera.get("label")) and camera.find("transform") is not None


class _Sensors:
    """The sensors of a chunk, read when a camera needs them."""

    def __init__(self, chunk: ElementTree.Element) -> None:
        found = chunk.iterfind("sensors/sensor")
        self._elements = {element.get("id"): element for element in found}
        self._sensors: dict[str | None, _Sensor] = {}

    def of(self, camera: ElementTree.Element) -> _Sensor:
        """The sensor of a camera."""
        key = camera.get("sensor_id")
        if key not in self._elements:
            raise CameraError(
                f"camera {camera.get('label')!r} has the sensor {key!r}, which is not "
                "listed",
                remedy="Export the cameras again.",
            )
        if key not in self._sensors:
            self._sensors[key] = _sensor(self._elements[key])
        return self._sensors[key]


def _sensor(element: ElementTree.Element) -> _Sensor:
    name = f"sensor {element.get('id')}"
    kind = element.get("type", "frame")
    if kind not in ("frame", *FISHEYE_TYPES):
        raise CameraError(
            f"{name} is of type {kind!r}",
            remedy=f"Known: frame, {', '.join(FISHEYE_TYPES)}. Cut panoramas into "
            "perspective images first.",
        )
    resolution = element.find("resolution")
    sides = (
        [] if resolution is None else [resolution.get(k) for k in ("height", "width")]
    )
    if len(sides) != 2 or not all(
        side and side.isdecimal() and 1 <= int(side) <= MAX_SIDE_PX for side in sides
    ):
        raise CameraError(
            f"{name}: the resolution is {sides}",
            remedy="It must be the image size in pixels.",
        )
    height, width = (int(side) for side in sides if side)
    calibration = element.find("calibration")
    if calibration is None or calibration.find("f") is None:
        raise CameraError(
            f"{name} has no focal length",
            remedy="Align the photos, export the cameras again.",
        )
    keys = ("f", "cx", "cy", "b1", "b2", "k1", "k2", "k3", "k4", "p1", "p2")
    value = {key: _value(calibration, key) for key in keys}
    lens: Lens
    if kind == "frame":
        unknown = ("b2", "k4")
        lens = BrownLens(
            **{key: value[key] for key in ("k1", "k2", "k3")},
            p1=value["p2"],
            p2=value["p1"],
        )
    else:
        unknown = ("b2", "p1", "p2")
        lens = FisheyeLens(**{key: value[key] for key in ("k1", "k2", "k3", "k4")})
    for key in unknown:
        if value[key] != 0:
            raise CameraError(
                f"{name}: {key} is {value[key]:g} for a camera of type {kind!r}",
                remedy=f"Align without {key}, or export undistorted photos.",
            )
    intrinsics = (
        *(value["f"] + value["b1"], value["f"]),
        *(width / 2 + value["cx"], height / 2 + value["cy"]),
    )
    return _Sensor(height, width, intrinsics, None if lens == BrownLens() else lens)


def _component(chunk: ElementTree.Element, component_id: str) -> Float64[Tensor, "4 4"]:
    """Chunk from component, but for its scale: cameras stay rigid."""
    identity = torch.eye(4, dtype=torch.float64)
    for component in chunk.iterfind("components//component"):
        transform = component.find("transform")
        if component.get("id") == component_id and transform is not None:
            rotation = identity[:3, :3]
            if transform.find("rotation") is not None:
                rotation = _tensor(transform, "rotation", 9)
            position = torch.zeros(3, dtype=torch.float64)
            if transform.find("translation") is not None:
                position = _tensor(transform, "translation", 3)
            scale = _value(transform, "scale", default=1.0)
            return rigid(rotation.reshape(3, 3), position / scale)
    return identity


def _value(parent: ElementTree.Element, key: str, *, default: float = 0.0) -> float:
    return default if parent.find(key) is None else _numbers(parent, key, 1)[0]


def _numbers(parent: ElementTree.Element, key: str, count: int) -> list[float]:
    text = (parent.findtext(key) or "").split()
    try:
        numbers = [float(token) for token in text]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise CameraError(
            f"{parent.tag} {parent.get('label') or parent.get('id', '')}: {key} is "
            f"{' '.join(text)[:60]!r}",
            remedy=f"It must hold {count} numbers.",
        )
    return numbers


def _tensor(
    parent: ElementTree.Element, key: str, count: int
) -> Float64[Tensor, "number"]:
    return torch.tensor(_numbers(parent, key, count), dtype=torch.float64)
