"""Frames of a video, decoded by the FFmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
from jaxtyping import UInt8

from nvs.errors import DatasetError

HDR_CURVES = ("smpte2084", "arib-std-b67")
"""FFmpeg's names of the transfer curves of HDR10 and Dolby Vision, and of HLG."""
TONE_MAPPING = (
    "zscale=transfer=linear:npl=203,format=gbrpf32le,zscale=primaries=bt709,"
    "tonemap=mobius:desat=0,zscale=transfer=bt709:matrix=bt709:range=tv,format=yuv444p"
)
"""Filters from HDR to what screens and photographs show, white paper at 203 cd/m²."""

logging.getLogger("imageio_ffmpeg").setLevel(logging.ERROR)  # turned videos are usual


def is_hdr_video(video: Path) -> bool:
    """Whether a video is HDR.

    Raises:
        DatasetError: If it is missing or no video.
    """
    if not video.is_file():
        raise DatasetError(f"there is no video {video}", remedy="Check the path.")
    reader: Any = imageio_ffmpeg.read_frames(video.resolve())
    try:
        stream = next(reader)
    except (OSError, RuntimeError, LookupError) as error:
        raise no_video(video, str(error).strip().rpartition("\n")[2]) from error
    finally:
        reader.close()
    return any(curve in stream["pix_fmt"] for curve in HDR_CURVES)


def decoded_frames(
    video: Path, *, is_hdr: bool, times: Path | None = None
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Every frame once, in the order in which they are shown, upright.

    Args:
        video: The file.
        is_hdr: Whether its tones are mapped.
        times: A file to write the time of each frame to, in seconds, a line each;
            complete when all frames have been taken.
    """
    options = ["-fps_mode", "passthrough", "-enc_time_base", "demux"]
    if times is not None:
        options += ["-stats_enc_pre", str(times), "-stats_enc_pre_fmt", "{t}"]
    if is_hdr:
        options += ["-vf", TONE_MAPPING]
    reader: Any = imageio_ffmpeg.read_frames(video.resolve(), output_params=options)
    try:
        width, height = next(reader)["size"]
        for frame in reader:
            yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)
    except (OSError, RuntimeError, LookupError) as error:
        raise no_video(video, str(error).strip().rpartition("\n")[2]) from error
    finally:
        reader.close()


def no_video(video: Path, why: str) -> DatasetError:
    """The error of a file that is not, or not wholly, a video."""
    return DatasetError(
        f"{video} is no video that can be decoded ({why})",
        remedy="Give an mp4, mov or webm file that plays.",
    )
