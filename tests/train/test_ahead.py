from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import closing, nullcontext

import pytest
import torch

from nvs.errors import DatasetError
from nvs.train.ahead import ahead

CUDA = torch.device("cuda")


class Recorder:
    """Numbers without end, and which threads asked for them."""

    def __init__(self, broken_at: int | None = None) -> None:
        self.threads: list[str] = []
        self.made = threading.Semaphore(0)
        self.broken_at = broken_at

    def __iter__(self) -> Iterator[int]:
        for number in itertools.count():
            if number == self.broken_at:
                raise DatasetError("damaged", remedy="Replace it.")
            self.threads.append(threading.current_thread().name)
            self.made.release()
            yield number


@pytest.fixture
def no_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads as on a CUDA device, without one."""

    class Stream:
        def __init__(self, device: torch.device) -> None: ...

        def synchronize(self) -> None: ...

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    for name in ("device", "stream"):
        monkeypatch.setattr(torch.cuda, name, lambda which: nullcontext())


def test_on_a_cpu_each_is_made_when_it_is_wanted() -> None:
    recorder = Recorder()
    made = ahead(iter(recorder), torch.device("cpu"))
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    assert recorder.threads == [threading.current_thread().name] * 3


@pytest.mark.usefixtures("no_streams")
def test_another_thread_makes_one_ahead() -> None:
    recorder = Recorder()
    with closing(ahead(iter(recorder), CUDA)) as made:
        for number in range(3):
            assert next(made) == number
            for _ in range(2 if number == 0 else 1):  # the next one too, unasked
                assert recorder.made.acquire(timeout=60)
    assert set(recorder.threads) == {"batches_0"}
    assert len(recorder.threads) == 4


@pytest.mark.usefixtures("no_streams")
def test_what_goes_wrong_comes_out_when_it_is_wanted() -> None:
    made = ahead(iter(Recorder(broken_at=2)), CUDA)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(DatasetError):
        next(made)


@pytest.mark.usefixtures("no_streams")
def test_its_thread_ends_with_it() -> None:
    made = ahead(iter(Recorder()), CUDA)
    next(made)
    made.close()
    assert all(not t.name.startswith("batches") for t in threading.enumerate())


@pytest.mark.gpu
def test_a_device_gets_what_was_computed() -> None:
    squares = (torch.full((1 << 20,), n, device=CUDA).square() for n in range(4))
    with closing(ahead(squares, CUDA)) as made:
        for number in range(3):
            assert bool((next(made) == number**2).all())
