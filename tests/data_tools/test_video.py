"""Frames of a video: sharp, spread by time or by movement, and bad videos refused."""

from __future__ import annotations

import json
import logging
import subprocess

import cv2
import imageio.v2 as imageio
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from nvs.errors import ConfigError, DatasetError
from nvs_data.video import choose_frames, extract_frames, pose_video, survey

HEIGHT, WIDTH = 96, 160


@pytest.fixture(scope="module")
def panorama():
    random = np.random.default_rng(0)
    layers = [
        cv2.resize(random.random((n // 4, n, 3)), (1600, HEIGHT))
        for n in (40, 160, 500)
    ]
    return np.rint(255 * sum(layers) / 3).astype(np.uint8)


def write_video(file, images):
    with imageio.get_writer(file, fps=20, quality=9, macro_block_size=16) as writer:
        for image in images:
            writer.append_data(image)
    return file


def window(panorama, left):
    return np.ascontiguousarray(panorama[:, left : left + WIDTH])


@pytest.fixture(scope="module")
def steady(panorama, tmp_path_factory):
    """Sixty frames, eight pixels apart; those not divisible by three are blurred."""
    images = [window(panorama, 8 * index) for index in range(60)]
    for index, image in enumerate(images):
        if index % 3:
            images[index] = cv2.GaussianBlur(image, None, 2)
    return write_video(tmp_path_factory.mktemp("steady") / "video.mp4", images)


@pytest.fixture(scope="module")
def pausing(panorama, tmp_path_factory):
    """Moves for twenty frames, rests for twenty, and moves twice as fast for twenty."""
    left = np.cumsum([0] + [8] * 19 + [0] * 20 + [16] * 20)
    images = [window(panorama, int(position)) for position in left]
    return write_video(tmp_path_factory.mktemp("pausing") / "video.mp4", images)


def test_survey_measures_blur_and_movement(steady):
    found = survey(steady)
    assert len(found.sharpness) == len(found.movement) == 60
    sharp = np.arange(60) % 3 == 0
    assert found.sharpness[sharp].min() > 2 * found.sharpness[~sharp].max()
    assert found.movement[0] == 0
    assert np.diff(found.movement) == pytest.approx(8 / WIDTH, rel=0.15)


def test_chosen_frames_are_sharp_and_written_as_they_were(steady, panorama, tmp_path):
    files = extract_frames(steady, tmp_path, count=8)
    index = [int(file.stem) for file in files]
    assert len(index) == 8
    assert all(i % 3 == 0 for i in index)
    assert sorted(tmp_path.iterdir()) == files
    for i, file in zip(index, files, strict=True):
        with Image.open(file) as image:
            pixels = np.asarray(image).astype(float)
        differences = [
            np.abs(pixels - window(panorama, 8 * other)).mean()
            for other in range(max(i - 2, 0), i + 3)
        ]
        assert np.argmin(differences) == min(i, 2)


@pytest.mark.parametrize("count", [1, 3, 10, 25])
def test_neighbours_are_half_to_one_and_a_half_windows_apart(count):
    random = np.random.default_rng(count)
    chosen = choose_frames(np.arange(100.0), random.random(100), count)
    assert len(chosen) == count
    gaps = np.diff(chosen) * count / 99
    assert np.all(gaps >= 0.5 - 1e-9)
    assert np.all(gaps <= 1.5 + 1e-9)


def test_the_sharpest_of_each_window_is_chosen():
    sharpness = np.zeros(40)
    sharpness[[4, 15, 26, 33]] = 1
    sharpness[[0, 9, 39]] = 2  # near the ends of a window
    assert choose_frames(np.arange(40.0), sharpness, 4) == [4, 15, 26, 33]


def test_movement_spreads_frames_where_time_repeats_them(pausing, tmp_path):
    by_time = extract_frames(pausing, tmp_path / "time", count=12)
    by_movement = extract_frames(pausing, tmp_path / "movement", baseline=0.2)
    still = range(20, 40)
    assert sum(int(file.stem) in still for file in by_time) == 4
    assert sum(int(file.stem) in still for file in by_movement) <= 1
    movement = survey(pausing).movement[[int(file.stem) for file in by_movement]]
    assert np.diff(movement).min() >= 0.1 - 0.02
    assert np.diff(movement).max() <= 0.3 + 0.02


def ffmpeg(*arguments, pixels=b""):
    """Run FFmpeg; skip the test if it was built without what is asked of it."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        *map(str, arguments),
    ]
    done = subprocess.run(command, input=pixels, capture_output=True)
    if b"Unknown encoder" in done.stderr:
        pytest.skip(done.stderr.decode().strip())
    assert done.returncode == 0, done.stderr.decode()


def shown_at(video, out, seconds):
    """The frames of a video, shown at a time that depends on their number N."""
    timing = f"setpts='({seconds})/TB'"
    passed = ("-fps_mode", "passthrough", "-enc_time_base", "1:1000")
    ffmpeg("-i", video, "-vf", f"settb=1/1000,{timing}", *passed, out)
    return out


SLOWER = "if(lt(N,30), N/30, 1+(N-30)/3)"
"""Thirty frames in the first second, then three a second for ten."""


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "webm"])
def test_time_is_when_a_frame_is_shown(steady, tmp_path, suffix):
    number = np.arange(60)
    expected = np.where(number < 30, number / 30, 1 + (number - 30) / 3)
    video = shown_at(steady, tmp_path / f"slower.{suffix}", SLOWER)
    seconds = survey(video).seconds
    assert len(seconds) == 60
    assert np.abs(seconds - seconds[0] - expected).max() < 0.01


@pytest.mark.parametrize("count", [4, 11, 15])
def test_frames_are_spread_over_time_at_any_frame_rate(steady, tmp_path, count, caplog):
    video = shown_at(steady, tmp_path / "slower.mp4", SLOWER)
    files = extract_frames(video, tmp_path / "out", count=count)
    seconds = survey(video).seconds
    chosen = seconds[[int(file.stem) for file in files]]
    window = (seconds[-1] - seconds[0]) / count
    assert len(files) == count
    assert np.diff(chosen).min() >= 0.5 * window - 1e-6
    assert np.diff(chosen).max() <= 1.5 * window + 1e-6
    assert not caplog.records


def test_a_stretch_without_frames_is_said(steady, tmp_path, caplog):
    pause = "if(lt(N,30), N/30, 11+(N-30)/30)"
    video = shown_at(steady, tmp_path / "pause.mkv", pause)
    with caplog.at_level(logging.WARNING, logger="nvs.data"):
        files = extract_frames(video, tmp_path / "out", count=12)
    assert len(files) == 2
    (said,) = caplog.messages
    assert said.endswith(
        "2 frames of the 12 asked for, since it has none over some stretches"
    )


def test_bursts_far_apart_give_their_frames():
    position = np.concatenate([np.linspace(0, 1, 20), np.linspace(61, 62, 20)])
    chosen = choose_frames(position, np.arange(40.0), 8)
    assert chosen == [19, 39]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_video_is_turned_as_it_says(steady, panorama, tmp_path, degrees):
    video = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", degrees, "-i", steady, "-c", "copy", video)
    files = extract_frames(video, tmp_path / "out", count=8)
    for file in files:
        with Image.open(file) as image:
            pixels = np.asarray(image).astype(float)
        original = np.rot90(window(panorama, 8 * int(file.stem)), degrees // 90)
        assert pixels.shape == original.shape
        assert np.abs(pixels - original).mean() < 12


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("libx265", "mp4"),
        ("libsvtav1", "mp4"),
        ("libsvtav1", "mkv"),
        ("libvpx-vp9", "webm"),
        ("mpeg4", "avi"),
        ("prores", "mov"),
        ("mjpeg", "mov"),
    ],
)
def test_every_codec_gives_its_frames(steady, tmp_path, codec, suffix):
    video = tmp_path / f"-{codec} 100% a:b.{suffix}"
    ffmpeg("-i", steady, "-c:v", codec, "-crf", "20", "-q:v", "2", f"file:{video}")
    found = survey(video)
    assert len(found.seconds) == 60
    assert np.diff(found.seconds) == pytest.approx(1 / 20, abs=0.002)
    assert found.movement[-1] == pytest.approx(59 * 8 / WIDTH, rel=0.2)
    assert not found.is_hdr


WHITE_PAPER = {"arib-std-b67": 0.75, "smpte2084": 0.58}
"""Signal of a diffuse white (ITU-R BT.2408), by transfer curve."""


@pytest.mark.parametrize("curve", WHITE_PAPER)
def test_hdr_is_brought_to_photographs_and_said_once(tmp_path, curve, caplog):
    steps = WHITE_PAPER[curve] * np.linspace(0, 1, 9)
    row = np.repeat(steps, 16) * 65535
    image = np.broadcast_to(np.rint(row)[None, :, None], (64, 144, 3)).astype("<u2")
    tags = f"transfer={curve}:colorprim=bt2020:colormatrix=bt2020nc:log-level=none"
    ffmpeg(
        *(
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb48le",
            "-s",
            "144x64",
            "-r",
            "10",
            "-i",
            "-",
        ),
        *("-vf", "scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le"),
        *("-c:v", "libx265", "-color_trc", curve, "-color_primaries", "bt2020"),
        *("-colorspace", "bt2020nc", "-x265-params", f"lossless=1:{tags}"),
        tmp_path / "hdr.mp4",
        pixels=image.tobytes() * 8,
    )
    with caplog.at_level(logging.WARNING, logger="nvs.data"):
        (file, _) = extract_frames(tmp_path / "hdr.mp4", tmp_path / "out", count=2)
    with Image.open(file) as found:
        levels = np.asarray(found)[32, 8::16].astype(int)
    assert levels[0].max() < 8
    assert np.diff(levels[:, 1]).min() > 3
    assert 200 < levels[-1].min() <= levels[-1].max() < 235
    assert [message for message in caplog.messages if "HDR" in message] == [
        f"{tmp_path / 'hdr.mp4'}: HDR, whose bright parts are compressed to sRGB"
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "neither of count and baseline"),
        ({"count": 3, "baseline": 0.1}, "both of count and baseline"),
        ({"count": 0}, "count is 0"),
        ({"baseline": -1.0}, "baseline is -1"),
    ],
)
def test_wrong_choice_is_refused(steady, tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        extract_frames(steady, tmp_path, **arguments)


def test_too_many_frames_are_refused(steady, tmp_path):
    with pytest.raises(DatasetError, match="has 60 frames, too few to choose 31"):
        extract_frames(steady, tmp_path, count=31)


def test_still_video_has_no_baseline(panorama, tmp_path):
    video = write_video(tmp_path / "still.mp4", [window(panorama, 0)] * 12)
    with pytest.raises(DatasetError, match=r"less than the baseline of 0\.05"):
        extract_frames(video, tmp_path / "out", baseline=0.05)


def test_missing_video_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"there is no video .*gone\.mp4"):
        extract_frames(tmp_path / "gone.mp4", tmp_path, count=2)


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video " * 100)
    with pytest.raises(DatasetError, match=r"text\.mp4 is no video"):
        extract_frames(tmp_path / "text.mp4", tmp_path, count=2)


def test_posing_again_keeps_frames_and_refuses_another_choice(steady, tmp_path):
    pytest.importorskip("pycolmap")
    (tmp_path / "images").mkdir()
    image = Image.new("RGB", (64, 64))
    image.save(tmp_path / "images" / "000001.jpg")
    chosen_by = {"video": "video.mp4", "count": 6, "baseline": None}
    (tmp_path / "frames.json").write_text(
        json.dumps({"chosen_by": chosen_by, "frames": ["000001.jpg"]})
    )
    with pytest.raises(DatasetError, match="only 1 photograph"):
        pose_video(steady, tmp_path, count=6)
    assert len(list((tmp_path / "images").iterdir())) == 1
    with pytest.raises(DatasetError, match="holds frames chosen by"):
        pose_video(steady, tmp_path, count=7)
