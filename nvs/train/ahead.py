"""The next batch, made while a step runs on the same CUDA device."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def ahead(made: Iterator[T], device: torch.device) -> Generator[T]:
    """What an endless iterator gives, on a CUDA device always one ahead.

    Scenes are drawn by thousands of small operations, which take longer to ask for
    than to compute. Another thread asks for them, on a stream of its own, while the
    device is busy with a step; what it gives has been computed.

    Args:
        made: Where things come from; used by that thread alone.
        device: Where they are computed. On a CPU, which has no time to spare, each is
            made when it is wanted.
    """
    if device.type != "cuda":
        yield from made
        return
    stream = torch.cuda.Stream(device)

    def following() -> T:
        with torch.cuda.device(device), torch.cuda.stream(stream):
            item = next(made)
        stream.synchronize()
        return item

    with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
        waiting = pool.submit(following)
        while True:
            item = waiting.result()
            waiting = pool.submit(following)
            yield item
