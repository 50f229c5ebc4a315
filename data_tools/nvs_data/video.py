"""Photographs from a video: sharp frames, well spread, and then their poses.

A frame's position on the video is the time at which it is shown, whatever the frame
rate does, or how far the image has moved up to it.
The positions are cut into windows of equal length, and the sharpest frame of the middle
half of each is taken: neighbours are half a window apart at least and one and a half at
most. Measured by movement, a pause gives no frames and a swift pan gives many.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from nvs.errors import ConfigError, DatasetError
from nvs.files import atomic_output
from nvs.scene.dataset_files import read_json
from nvs.scene.pictures import shrunk
from nvs_data.colmap_run import Progress
from nvs_data.decoding import decoded_frames, is_hdr_video, no_video
from nvs_data.photos import Matching
from nvs_data.posing import CameraModel, PosingReport, pose

SHARPNESS_PX = 640
"""Longer side at which sharpness is measured: finer blur is below what is rendered."""
MOTION_PX = 320
"""Longer side at which movement is measured."""
MAX_CORNERS = 200
"""Points followed from frame to frame."""
STILL_PX = 0.1
"""Movement between frames, at that size, that is compression noise."""
JPEG_QUALITY = 95
_logger = logging.getLogger("nvs.data")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VideoSurvey:
    """What choosing needs to know of every frame of a video."""

    seconds: Float[np.ndarray, "frame"]
    """When each is shown; never decreasing."""
    sharpness: Float[np.ndarray, "frame"]
    """Variance of the Laplacian; to be compared between neighbours only."""
    movement: Float[np.ndarray, "frame"]
    """How far the image has moved since the first frame, over its longer side."""
    is_hdr: bool
    """Whether it is HDR, which is brought to the brightness of photographs."""


def survey(video: Path | str) -> VideoSurvey:
    """Measure sharpness and movement, one frame in memory at a time.

    Raises:
        DatasetError: If the file is missing, no video or has no frames.
    """
    video = Path(video)
    is_hdr = is_hdr_video(video)
    sharpness: list[float] = []
    movement: list[float] = []
    before: UInt8[np.ndarray, "height width"] | None = None
    with tempfile.TemporaryDirectory() as folder:
        times = Path(folder) / "seconds"
        for frame in decoded_frames(video, is_hdr=is_hdr, times=times):
            grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
            laplacian = cv2.Laplacian(shrunk(grey, SHARPNESS_PX), cv2.CV_64F)
            sharpness.append(float(laplacian.var()))
            small = shrunk(grey, MOTION_PX)
            step = 0.0 if before is None else _moved_px(before, small)
            movement.append(step / max(small.shape) + (movement or [0.0])[-1])
            before = small
        if not sharpness:
            raise no_video(video, "no frames")
        seconds = np.array(times.read_text(encoding="ascii").split(), float)
    return VideoSurvey(
        seconds=np.maximum.accumulate(seconds[: len(sharpness)]),
        sharpness=np.array(sharpness),
        movement=np.array(movement),
        is_hdr=is_hdr,
    )


def choose_frames(
    position: Float[np.ndarray, "frame"],
    sharpness: Float[np.ndarray, "frame"],
    count: int,
) -> list[int]:
    """The sharpest frame of each of `count` windows, of its middle half if it has any.

    Args:
        position: Non-decreasing; time or movement.
        sharpness: Of every frame.
        count: Windows; one that has no frame gives none.

    Returns:
        Indices in increasing order.
    """
    length = max(float(position[-1] - position[0]), np.finfo(float).tiny)
    at = (position - position[0]) / length * count
    window = np.minimum(at.astype(int), count - 1)
    middle = np.abs(at - window - 0.5) <= 0.25 + 1e-9
    chosen: list[int] = []
    for index in range(count):
        candidates = np.flatnonzero((window == index) & middle)
        if not len(candidates):
            candidates = np.flatnonzero(window == index)
        if len(candidates):
            chosen.append(int(candidates[sharpness[candidates].argmax()]))
    return chosen


def extract_frames(
    video: Path | str,
    folder: Path | str,
    *,
    count: int | None = None,
    baseline: float | None = None,
) -> list[Path]:
    """Write sharp, well-spread frames of a video as JPEG photographs.

    Args:
        video: A file that the FFmpeg of imageio-ffmpeg decodes: H.264, HEVC, AV1, VP9,
            … It is turned as it says; HDR is brought to sRGB, with one warning of the
            logger `nvs.data`.
        folder: Where to write them, named by frame number; made if absent.
        count: How many, evenly spread in time; fewer, with a warning, if the video has
            no frames over some stretches of it; or
        baseline: How far the image moves between neighbours, over its longer side:
            0.05 is usual.

    Raises:
        ConfigError: Unless exactly one of count and baseline is given, and positive.
        DatasetError: If the file is missing, no video, or too short or still for it.
    """
    _check_spacing(count, baseline)
    video, folder = Path(video), Path(folder)
    found = survey(video)
    num_frames = len(found.sharpness)
    if baseline is None:
        assert count is not None
        position = found.seconds
    else:
        position = found.movement
        count = int(position[-1] / baseline)
        if count < 1:
            raise DatasetError(
                f"the image of {video} moves {position[-1]:.3g} of its longer side "
                f"in all, less than the baseline of {baseline:g}",
                remedy="Move the camera, not only the subject, or ask for less.",
            )
    if 2 * count > num_frames:
        raise DatasetError(
            f"{video} has {num_frames} frames, too few to choose {count} sharp ones",
            remedy=f"Ask for at most {num_frames // 2}, or film for longer."
            if num_frames > 1
            else "Give a longer video, or the frame as a photograph.",
        )
    chosen = set(choose_frames(position, found.sharpness, count))
    if len(chosen) < count:
        _logger.warning(
            "%s: %d frames of the %d asked for, since it has none over some stretches",
            *(video, len(chosen), count),
        )
    if found.is_hdr:
        _logger.warning("%s: HDR, whose bright parts are compressed to sRGB", video)
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    for index, frame in enumerate(decoded_frames(video, is_hdr=found.is_hdr)):
        if index in chosen:
            files.append(folder / f"{index:06d}.jpg")
            Image.fromarray(frame).save(files[-1], quality=JPEG_QUALITY, subsampling=0)
    return files


def pose_video(
    video: Path | str,
    out: Path | str,
    *,
    count: int | None = None,
    baseline: float | None = None,
    matching: Matching = "auto",
    camera_model: CameraModel = "OPENCV",
    max_image_px: int = 1600,
    num_threads: int | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> PosingReport:
    """Choose frames of a video, then find their cameras.

    The frames go to `OUT/images`, and what they were chosen by to `OUT/frames.json`. As
    for `pose`, the same call resumes a run that was cancelled. Other arguments are
    those of `extract_frames` and `pose`.

    Raises:
        ConfigError, DatasetError: As `extract_frames` and `pose`.
    """
    _check_spacing(count, baseline)
    video, out = Path(video), Path(out)
    note = out / "frames.json"
    chosen_by = {"video": video.name, "count": count, "baseline": baseline}
    begun: Any = read_json(note) if note.exists() else {"chosen_by": chosen_by}
    if begun.get("chosen_by") != chosen_by:
        raise DatasetError(
            f"{out} holds frames chosen by {begun.get('chosen_by')}",
            remedy="Repeat that to resume it, or choose another output folder.",
        )
    if "frames" not in begun:
        images = out / "images"
        if images.is_dir() and any(images.iterdir()):
            raise DatasetError(
                f"{images} holds images that were not chosen from a video",
                remedy="Remove them, or choose another output folder.",
            )
        with atomic_output(images) as folder:
            files = extract_frames(video, folder, count=count, baseline=baseline)
        begun["frames"] = [file.name for file in files]
        note.write_text(json.dumps(begun, indent=1), encoding="utf-8")
    return pose(
        out / "images",
        out,
        matching=matching,
        camera_model=camera_model,
        max_image_px=max_image_px,
        num_threads=num_threads,
        progress=progress,
    )


def _check_spacing(count: int | None, baseline: float | None) -> None:
    if (count is None) == (baseline is None):
        given = "neither" if count is None else "both"
        raise ConfigError(
            f"{given} of count and baseline given",
            remedy="Give one: how many frames, or how far apart, such as 0.05.",
        )
    if not (count or baseline or 0) > 0:
        name, value = ("count", count) if baseline is None else ("baseline", baseline)
        raise ConfigError(f"{name} is {value}", remedy="It must be positive.")


def _moved_px(
    before: UInt8[np.ndarray, "height width"], after: UInt8[np.ndarray, "height width"]
) -> float:
    """Median movement of corners between two frames (pyramidal Lucas-Kanade)."""
    corners: Any = cv2.goodFeaturesToTrack(
        before, maxCorners=MAX_CORNERS, qualityLevel=0.01, minDistance=8
    )
    if corners is None:
        return 0.0
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners, np.empty_like(corners)
    )
    steps = np.linalg.norm((moved - corners).reshape(-1, 2), axis=-1)[found[:, 0] == 1]
    median = float(np.median(steps)) if len(steps) else 0.0
    return median if median >= STILL_PX else 0.0
