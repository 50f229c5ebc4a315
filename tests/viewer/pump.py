"""The page's own stream and painter, fed with poses as fast as pictures come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

SCRIPT = """async ({address, cameras, height, width, quality, numFrames, seconds}) => {
    const [{ FrameStream }, { Painter }, { Meters }] = await Promise.all([
        import('/viewer/js/walk/stream.js'), import('/viewer/js/walk/painter.js'),
        import('/viewer/js/walk/meters.js'),
    ]);
    const canvas = document.createElement('canvas');
    document.body.replaceChildren(canvas);
    const painter = new Painter(canvas);
    const meters = new Meters();
    const shown = [];
    let numAsked = 0, finish;
    const finished = new Promise((resolve) => { finish = resolve; });
    const begun = performance.now();
    const ask = () => stream.request({
        camera: cameras[numAsked++ % cameras.length],
        height, width, format: 'jpeg', quality,
    });
    const stream = new FrameStream({
        address: async () => address,
        show: async (frame) => {
            const drawn = await painter.show(frame);
            meters.add({...frame, ...drawn, numBytes: frame.image.size});
            if (drawn.isShown) {
                shown.push([drawn.shownAt - begun, frame.sentAt - begun]);
            }
            const late = performance.now() - begun > 1000 * seconds;
            if (shown.length === numFrames || late) finish();
            ask();
        },
    });
    stream.addEventListener('status', ({detail}) => {
        if (detail.state === 'open') { ask(); setTimeout(ask, 3); }
    });
    stream.start();
    await finished;
    stream.stop();
    return {shown, stale: painter.numStale, parts: meters.last.parts};
}"""


@dataclass(frozen=True, slots=True)
class Pumped:
    """What came through."""

    shown_seconds: NDArray[np.float64]
    """When each picture was shown."""
    latency_ms: NDArray[np.float64]
    """From pose sent to picture shown."""
    num_stale: int
    """Pictures that came after a newer one."""
    parts_ms: dict[str, float]
    """The last picture's latency by what it was spent on."""

    @property
    def rate(self) -> float:
        """Pictures shown a second."""
        span = self.shown_seconds[-1] - self.shown_seconds[0]
        return float((len(self.shown_seconds) - 1) / span)

    def figures(self) -> dict[str, float]:
        """The numbers worth telling."""
        return {
            "frames_per_second": round(self.rate, 1),
            "median_ms": round(float(np.median(self.latency_ms)), 1),
            "p95_ms": round(float(np.quantile(self.latency_ms, 0.95)), 1),
            "stale": self.num_stale,
        }


def pump(
    page: Page,
    address: str,
    cameras: Sequence[dict[str, Any]],
    *,
    height: int,
    width: int,
    quality: int = 80,
    num_frames: int = 10**9,
    num_warm: int = 0,
    seconds: float = 10**9,
) -> Pumped:
    """Offer the next pose for every picture shown, until enough were or it is late.

    Args:
        page: Any page of the service.
        address: Of the stream.
        cameras: Taken in turn.
        height, width, quality: Of the pictures, JPEG.
        num_frames: Pictures to show, with those to warm up.
        num_warm: First pictures that do not count.
        seconds: Time after which to stop.
    """
    found = page.evaluate(
        SCRIPT,
        {
            "address": address,
            "cameras": list(cameras),
            "height": height,
            "width": width,
            "quality": quality,
            "numFrames": num_frames,
            "seconds": seconds,
        },
    )
    shown_ms, sent_ms = np.array(found["shown"])[num_warm:].T
    return Pumped(shown_ms / 1000, shown_ms - sent_ms, found["stale"], found["parts"])
