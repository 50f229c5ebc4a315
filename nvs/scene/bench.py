"""How fast prefill and render are, and in what memory, beside the machine's floor."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nvs.cameras import orbit
from nvs.model import cost
from nvs.scene.renderer import Renderer
from nvs.scene.views import PosedViews

MATMUL_SIZE = {"cpu": 2048, "cuda": 8192}
MEMORY_STATUS = Path("/proc/self/status")
MEMORY_RESET = Path("/proc/self/clear_refs")


def bench(
    renderer: Renderer, *, num_views: int, height: int, width: int, repeats: int
) -> dict[str, Any]:
    """Measure one size on the renderer's device, on random images.

    The ceiling is the rate of one large square matrix product in the same precision,
    measured in between; times are medians, spreads are (slowest − fastest) / median.
    """
    views = random_views(num_views, height=height, width=width)
    camera = views.camera
    device, config = renderer.device, renderer.config
    ceiling = matmul_flops_per_second(device, renderer.precision.compute)
    with peak_memory(device) as prefill_memory:
        scene = renderer.prefill(views).to(device, renderer.precision.compute)
    prefill = time_repeats(device, lambda: renderer.prefill(views), repeats)
    with peak_memory(device) as render_memory:
        renderer.render(scene, camera[0])
    render = time_repeats(
        device, lambda: renderer.render(scene, camera[0]), 3 * repeats
    )
    prefill_seconds = statistics.median(prefill)
    render_seconds = statistics.median(render)
    size = {"height": height, "width": width}
    prefill_rate = cost.prefill_flops(config, num_views=num_views, **size)
    prefill_rate /= prefill_seconds
    render_rate = cost.render_flops(config, **size) / render_seconds
    tokens = num_views * cost.num_tokens(config, height, width)
    return {
        "device": device_name(device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "precision": renderer.computes,
        "model": renderer.model_id,
        "num_views": num_views,
        **size,
        "repeats": repeats,
        "ceiling_flops_per_second": ceiling,
        "prefill_seconds": prefill_seconds,
        "prefill_spread": spread(prefill),
        "prefill_tokens_per_second": tokens / prefill_seconds,
        "prefill_flops_per_second": prefill_rate,
        "prefill_share_of_ceiling": prefill_rate / ceiling,
        "prefill_peak_bytes": prefill_memory.added_bytes,
        "residual_bytes": num_views
        * cost.residual_bytes_per_view(config, height, width),
        "render_milliseconds": 1000 * render_seconds,
        "render_spread": spread(render),
        "render_flops_per_second": render_rate,
        "render_share_of_ceiling": render_rate / ceiling,
        "render_peak_bytes": render_memory.added_bytes,
    }


def random_views(num_views: int, *, height: int, width: int) -> PosedViews:
    """Noise before cameras on a circle: as much work as photographs.

    But for the densities of objects: noise has no white around, and so none.
    """
    generator = torch.Generator().manual_seed(0)
    return PosedViews(
        image=torch.rand(num_views, 3, height, width, generator=generator),
        camera=orbit(
            num_views,
            radius=2.7,
            elevation_radians=0.35,
            hfov_radians=0.87,
            height=height,
            width=width,
        ),
        names=tuple(f"random {index}" for index in range(num_views)),
    )


def matmul_flops_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Best rate of a large square matrix product over ten tries."""
    size = MATMUL_SIZE.get(device.type, 2048)
    a = torch.randn(size, size, device=device).to(dtype)
    times = time_repeats(device, lambda: a @ a, 10)
    return 2 * size**3 / min(times)


def device_name(device: torch.device) -> str:
    """What the device calls itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU ({torch.backends.cpu.get_cpu_capability()})"


def time_repeats(
    device: torch.device, work: Callable[[], object], repeats: int
) -> list[float]:
    """Seconds of each of some repeats, after one that does not count."""
    times: list[float] = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return times[1:]


def spread(times: list[float]) -> float:
    """How far apart times are, as a share of their median."""
    return (max(times) - min(times)) / statistics.median(times)


@dataclass(slots=True)
class PeakMemory:
    """What `peak_memory` measured; None where the system cannot tell."""

    before_bytes: int | None = None
    """In use when the work began."""
    peak_bytes: int | None = None
    """The most in use during the work."""

    @property
    def added_bytes(self) -> int | None:
        """How much the work needed on top."""
        if self.peak_bytes is None or self.before_bytes is None:
            return None
        return self.peak_bytes - self.before_bytes


@contextmanager
def peak_memory(device: torch.device) -> Generator[PeakMemory]:
    """Measure allocated CUDA memory, or the process's resident memory on Linux."""
    result = PeakMemory()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        result.before_bytes = torch.cuda.memory_allocated(device)
        yield result
        result.peak_bytes = torch.cuda.max_memory_allocated(device)
        return
    try:
        MEMORY_RESET.write_text("5")
        result.before_bytes = _resident("VmRSS")
    except OSError:
        yield result
        return
    yield result
    result.peak_bytes = _resident("VmHWM")


def _resident(key: str) -> int:
    for line in MEMORY_STATUS.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise OSError(f"{MEMORY_STATUS} has no {key}")
