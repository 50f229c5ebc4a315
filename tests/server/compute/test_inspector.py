"""What strangers send is refused by name, in bounded memory and time."""

from __future__ import annotations

import asyncio
import io
import signal
import struct
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
from PIL import Image

from nvs.api.jobs import BuildRequest
from nvs.api.system import Model
from nvs.assets import SAMPLE
from nvs.errors import DatasetError, ImageError
from nvs_server.compute import wire
from nvs_server.compute.orders import ImageSize, PrepareOrder
from nvs_server.compute.processes import Inspector
from nvs_server.compute.protocol import WorkerLost
from nvs_server.settings import ComputeSettings

PHOTOGRAPH = SAMPLE / "renderings/00000000_rgba.png"
MEMORY_BYTES = 192 * 2**20
LIMITS = ComputeSettings.model_validate({"inspector_memory_bytes": MEMORY_BYTES})
WAIT_SECONDS = 120


class Asked:
    """An inspector on an event loop of its own."""

    def __init__(self, limits: ComputeSettings = LIMITS) -> None:
        self.inspector = Inspector(limits)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, path: Path, *, timeout_seconds: float = 60) -> Future[Any]:
        work = self.inspector.ask(
            "image",
            about="the image",
            error=ImageError,
            timeout_seconds=timeout_seconds,
            path=str(path),
        )
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def image(self, path: Path, **values: Any) -> ImageSize:
        return ImageSize(**self.begin(path, **values).result(WAIT_SECONDS))

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)

    def stop(self) -> None:
        self.run(self.inspector.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_begun(self) -> None:
        """Return once a request is in flight."""

        async def begun() -> None:
            while not self.inspector._child.num_calls:
                await asyncio.sleep(0)

        self.run(begun())

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.inspector.status().pid)


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    asked = Asked()
    asked.run(asked.inspector.start())
    yield asked
    asked.stop()


def peak_bytes(process: psutil.Process) -> int:
    """The most resident memory that the process has had."""
    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def png(height: int, width: int, data: bytes = b"") -> bytes:
    """A greyscale PNG of any declared size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", checksum)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def encoded(format: str) -> bytes:
    stream = io.BytesIO()
    with Image.open(PHOTOGRAPH) as image:
        image.convert("RGB").save(stream, format)
    return stream.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_images_are_decoded(asked: Asked, tmp_path: Path, format: str) -> None:
    (tmp_path / "image").write_bytes(encoded(format))
    info = asked.image(tmp_path / "image")
    assert info == ImageSize(height=256, width=256)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"the image: not a PNG, JPEG"),
        (b"GIF89a" + bytes(100), r"the image: not a PNG, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", r"the image: not a PNG"),
        (encoded("JPEG")[:-2000], r"the image: truncated or damaged"),
        (encoded("PNG")[:-2000], r"the image: truncated or damaged"),
        (encoded("WEBP")[:-500], r"the image: (truncated|not)"),
        (png(12_000, 10_000), r"pixels, over the limit of 100000000"),
        (png(100_000, 100_000), r"the image: .*10000000000 pixels.* exceeds limit"),
        (png(2**31 - 1, 2**31 - 1), r"the image: "),
        (png(0, 7), r"the image: "),
    ],
    ids=["empty", "gif", "svg", "jpeg", "png", "webp", "large", "huge", "most", "none"],
)
def test_files_that_are_no_images_are_refused_by_name(
    asked: Asked, tmp_path: Path, content: bytes, match: str
) -> None:
    (tmp_path / "image").write_bytes(content)
    restarts = asked.inspector.status().num_restarts
    with pytest.raises(ImageError, match=match) as caught:
        asked.image(tmp_path / "image")
    assert str(tmp_path) not in str(caught.value)
    assert asked.inspector.status().num_restarts == restarts


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory")
def test_bombs_are_refused_with_flat_memory(asked: Asked, tmp_path: Path) -> None:
    asked.image(PHOTOGRAPH)
    before = peak_bytes(asked.process)
    zeros = zlib.compress(bytes(50_000_001), 9)
    for side, match in ((11_000, "over the limit"), (50_000, "exceeds limit")):
        (tmp_path / "large.png").write_bytes(png(side, side, zeros))
        with pytest.raises(ImageError, match=match):
            asked.image(tmp_path / "large.png")
    assert peak_bytes(asked.process) < before + 20 * 2**20


def test_an_image_beyond_the_memory_is_refused_and_the_next_is_not(
    asked: Asked, tmp_path: Path
) -> None:
    Image.new("RGB", (9000, 9000)).save(tmp_path / "wide.png", compress_level=1)
    with pytest.raises(ImageError, match="more than the 192 MiB it may take"):
        asked.image(tmp_path / "wide.png")
    assert peak_bytes(asked.process) < MEMORY_BYTES + 50 * 2**20  # and its libraries
    assert asked.image(PHOTOGRAPH).height == 256


def test_an_image_that_ends_the_process_is_refused(asked: Asked) -> None:
    process = asked.process
    process.suspend()
    answer = asked.begin(PHOTOGRAPH)
    asked.wait_begun()
    waiting = asked.begin(PHOTOGRAPH)
    process.send_signal(signal.SIGSEGV)
    process.resume()
    with pytest.raises(ImageError, match="more than the 192 MiB it may take"):
        answer.result(WAIT_SECONDS)
    assert ImageSize(**waiting.result(WAIT_SECONDS)).height == 256


def test_a_process_killed_from_outside_blames_no_file(asked: Asked) -> None:
    process = asked.process
    process.suspend()
    answer = asked.begin(PHOTOGRAPH)
    asked.wait_begun()
    process.kill()
    with pytest.raises(WorkerLost, match="the inspector process died"):
        answer.result(WAIT_SECONDS)
    assert asked.image(PHOTOGRAPH).height == 256


def test_what_takes_too_long_is_refused_and_the_process_replaced(asked: Asked) -> None:
    process = asked.process
    process.suspend()
    with pytest.raises(ImageError, match=r"decoding took longer than 0\.1 s"):
        asked.image(PHOTOGRAPH, timeout_seconds=0.1)
    assert asked.image(PHOTOGRAPH).height == 256
    assert asked.process != process


def test_cancelling_ends_the_work(asked: Asked) -> None:
    process = asked.process
    process.suspend()
    answer = asked.begin(PHOTOGRAPH)
    asked.wait_begun()
    answer.cancel()
    assert asked.image(PHOTOGRAPH).height == 256
    assert not process.is_running()


def test_cancelling_what_still_waits_ends_nothing(asked: Asked) -> None:
    process = asked.process
    process.suspend()
    answer = asked.begin(PHOTOGRAPH)
    asked.wait_begun()
    waiting = asked.begin(PHOTOGRAPH)
    waiting.cancel()
    process.resume()
    assert ImageSize(**answer.result(WAIT_SECONDS)).height == 256
    assert asked.process == process


def test_a_dataset_beyond_the_memory_is_refused(tmp_path: Path) -> None:
    """24 views of 2048×2048 pixels in float32 are 1.2 GB."""
    asked = Asked(LIMITS.model_copy(update={"inspector_memory_bytes": 2**30}))
    asked.run(asked.inspector.start())
    model = Model(
        id="weights",
        is_default=True,
        poses="object",
        patch_size=8,
        num_parameters=1,
        digest="d",
        trained_height=None,
        trained_width=None,
        max_height=2048,
        max_width=2048,
        max_views=24,
        description="",
    )
    request = BuildRequest(size=2048)
    order = PrepareOrder(folder=SAMPLE, output=tmp_path, request=request)
    work = asked.inspector.ask(
        "prepare",
        about="the dataset",
        error=DatasetError,
        timeout_seconds=WAIT_SECONDS,
        order=wire.to_json(order),
        model=wire.to_json(model),
    )
    try:
        with pytest.raises(DatasetError, match="more than the 1024 MiB it may take"):
            asked.run(work)
    finally:
        asked.stop()


def test_a_stopped_inspector_blames_no_file() -> None:
    asked = Asked()
    asked.run(asked.inspector.start())
    asked.process.suspend()
    answer = asked.begin(PHOTOGRAPH)
    asked.wait_begun()
    asked.run(asked.inspector.stop())
    with pytest.raises(WorkerLost, match="the inspector process died"):
        answer.result(WAIT_SECONDS)
    with pytest.raises(WorkerLost, match="is stopped"):
        asked.image(PHOTOGRAPH)
    asked.stop()
