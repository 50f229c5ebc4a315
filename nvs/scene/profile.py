"""Where the time of a prefill and of a frame goes, beside what each part could take.

A part's floor is the longer of its operations at the rate of a large matrix product and
its bytes at the rate of a large copy, both measured in the same run. Bytes are those of
a part's arguments and results, each read or written once: caches can make that less.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from nvs.model import fast_weight, layers
from nvs.model.network import LaCTNetwork
from nvs.scene.bench import matmul_flops_per_second, random_views, time_repeats
from nvs.scene.renderer import Renderer

PARTS = (
    *((LaCTNetwork, "embed", "embedding"), (LaCTNetwork, "decode", "decoding")),
    *((F, "linear", "projections and MLP"), (layers, "attend", "window attention")),
    *((fast_weight, name, "fast network") for name in ("apply", "gradient")),
    (fast_weight, "orthogonalise", "Newton–Schulz"),
)
"""Where each part is looked up when it is called; a part inside another is its own."""


def _attention_flops(
    q: torch.Size, k: torch.Size, v: torch.Size, *_: Any, **__: Any
) -> int:
    """Of attention, whose scores are of (…, query, key)."""
    return 2 * q.numel() * k[-2] + 2 * v.numel() * q[-2]


ATTENTION_FLOPS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
}
"""Operations that torch's counter does not know."""
REST = "elementwise and the rest"
COPY_BYTES = 2**28


@dataclass(slots=True)
class Part:
    """What one part of the network took."""

    name: str
    seconds: float = 0.0
    flops: int = 0
    """Operations of matrix products, two a multiply-add."""
    num_bytes: int = 0
    """Of arguments and results."""

    def floor_seconds(self, flops_per_second: float, bytes_per_second: float) -> float:
        """The least it could take."""
        return max(self.flops / flops_per_second, self.num_bytes / bytes_per_second)


def profile(
    renderer: Renderer, *, num_views: int, height: int, width: int
) -> dict[str, Any]:
    """Measure the parts of one prefill and one frame of random images.

    Returns:
        `flops_per_second` and `bytes_per_second`, the ceilings; `prefill` and `frame`,
        each a list of `part`, `seconds`, `share` of the whole, `flops`, `bytes`,
        `floor_seconds` and `share_of_floor` (floor ÷ seconds).
    """
    views = random_views(num_views, height=height, width=width)
    device, dtype = renderer.device, renderer.precision.compute
    scene = renderer.prefill(views).to(device, dtype)
    camera = views.camera[0]
    renderer.render(scene, camera)
    flops_per_second = matmul_flops_per_second(device, dtype)
    bytes_per_second = copy_bytes_per_second(device)
    work: dict[str, Callable[[], object]] = {
        "prefill": lambda: renderer.prefill(views),
        "frame": lambda: renderer.render(scene, camera),
    }
    result: dict[str, Any] = {
        "flops_per_second": flops_per_second,
        "bytes_per_second": bytes_per_second,
    }
    for name, do in work.items():
        parts = measured(device, do)
        whole = sum(part.seconds for part in parts)
        result[name] = [
            {
                "part": part.name,
                "seconds": part.seconds,
                "share": part.seconds / whole,
                "flops": part.flops,
                "bytes": part.num_bytes,
                "floor_seconds": floor,
                "share_of_floor": floor / part.seconds,
            }
            for part in parts
            for floor in [part.floor_seconds(flops_per_second, bytes_per_second)]
        ]
    return result


def measured(device: torch.device, work: Callable[[], object]) -> list[Part]:
    """The parts of some work, the longest first, and the rest.

    The work is done twice: once for its operations and bytes, once for its time.
    """
    counted = {name: Part(name) for _, _, name in PARTS}
    with _watching(functools.partial(_count, counted)):
        work()
    with _watching(functools.partial(_time, counted, device)):
        start = _now(device)
        work()
        whole = _now(device) - start
    rest = Part(REST, seconds=whole - sum(part.seconds for part in counted.values()))
    done = [part for part in counted.values() if part.seconds > 0]
    return [*sorted(done, key=lambda part: -part.seconds), rest]


def copy_bytes_per_second(device: torch.device) -> float:
    """Best rate of a large copy over ten tries, reading and writing counted."""
    source = torch.ones(COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / min(time_repeats(device, lambda: target.copy_(source), 10))


Watch = Callable[[str, Callable[[], Any], tuple[Any, ...]], Any]


@contextmanager
def _watching(watch: Watch) -> Generator[None]:
    """Have every outermost call of a part go through `watch`."""
    inside = False

    def wrap(original: Callable[..., Any], name: str) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:
                return original(*args, **kwargs)
            inside = True
            try:
                return watch(name, lambda: original(*args, **kwargs), args)
            finally:
                inside = False

        return call

    with ExitStack() as stack:
        for owner, attribute, name in PARTS:
            original = getattr(owner, attribute)
            stack.callback(setattr, owner, attribute, original)
            setattr(owner, attribute, wrap(original, name))
        yield


def _count(
    parts: dict[str, Part], name: str, call: Callable[[], Any], args: tuple[Any, ...]
) -> Any:
    with FlopCounterMode(display=False, custom_mapping=ATTENTION_FLOPS) as counter:
        made = call()
    parts[name].flops += counter.get_total_flops()
    parts[name].num_bytes += sum(t.nbytes for t in _tensors((args, made)))
    return made


def _time(
    parts: dict[str, Part],
    device: torch.device,
    name: str,
    call: Callable[[], Any],
    args: tuple[Any, ...],
) -> Any:
    start = _now(device)
    made = call()
    parts[name].seconds += _now(device) - start
    return made


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tensors(one)
