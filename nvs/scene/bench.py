"""How fast prefill and render are, beside the floor of this machine."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from nvs.cameras import orbit
from nvs.model import cost
from nvs.scene.peak_memory import peak_memory
from nvs.scene.renderer import Renderer
from nvs.scene.views import PosedViews

MATMUL_SIZE = {"cpu": 2048, "cuda": 8192}


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchResult:
    """Measured times, with what is needed to read them."""

    device: str
    torch: str
    threads: int
    precision: str
    model: str
    num_views: int
    height: int
    width: int
    repeats: int
    ceiling_flops_per_second: float
    prefill_seconds: float
    prefill_spread: float
    prefill_tokens_per_second: float
    prefill_flops_per_second: float
    prefill_share_of_ceiling: float
    prefill_peak_bytes: int | None
    residual_bytes: int
    render_milliseconds: float
    render_spread: float
    render_flops_per_second: float
    render_share_of_ceiling: float
    render_peak_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """All fields as a plain dictionary."""
        return asdict(self)


def bench(
    renderer: Renderer, *, num_views: int, height: int, width: int, repeats: int
) -> BenchResult:
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
    prefill_rate = (
        cost.prefill_flops(config, num_views=num_views, height=height, width=width)
        / prefill_seconds
    )
    render_rate = cost.render_flops(config, height=height, width=width) / render_seconds
    tokens = num_views * cost.num_tokens(config, height, width)
    return BenchResult(
        device=device_name(device),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        precision=renderer.precision.name,
        model=renderer.model_id,
        num_views=num_views,
        height=height,
        width=width,
        repeats=repeats,
        ceiling_flops_per_second=ceiling,
        prefill_seconds=prefill_seconds,
        prefill_spread=spread(prefill),
        prefill_tokens_per_second=tokens / prefill_seconds,
        prefill_flops_per_second=prefill_rate,
        prefill_share_of_ceiling=prefill_rate / ceiling,
        prefill_peak_bytes=prefill_memory.added_bytes,
        residual_bytes=num_views * cost.residual_bytes_per_view(config, height, width),
        render_milliseconds=1000 * render_seconds,
        render_spread=spread(render),
        render_flops_per_second=render_rate,
        render_share_of_ceiling=render_rate / ceiling,
        render_peak_bytes=render_memory.added_bytes,
    )


def random_views(num_views: int, *, height: int, width: int) -> PosedViews:
    """Noise before cameras on a circle: as much work as photographs."""
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
