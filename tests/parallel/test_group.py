"""What ranks send each other, and how they end when one of them fails."""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import replace
from datetime import timedelta

import pytest
import torch
from torch import Tensor

from nvs.errors import ConfigError, ImageError
from nvs.parallel.group import Group
from tests.parallel.ranks import run_ranks, values

CPU = torch.device("cpu")


def sums(group: Group) -> dict[str, object]:
    rank = group.rank
    x = torch.full((3,), rank + 1.0, dtype=torch.float64, requires_grad=True)
    y = torch.full((2, 2), 10.0 * rank, dtype=torch.float64, requires_grad=True)
    total_x, total_y = group.sum((x, y))
    # The loss of all ranks is Σ (rank + 1)·(Σx)² + Σy, a part on each.
    ((rank + 1) * total_x.square().sum() + total_y.sum()).backward()
    (half,) = group.sum((torch.full((2,), 1.5, dtype=torch.bfloat16),))
    return {
        "sums": (total_x.detach(), total_y.detach()),
        "gradients": (x.grad, y.grad),
        "half": half,
        "shared": group.share(rank),
        "gathered": group.gather(rank),
        "mean": group.mean([rank, 1]),
        "first": group.of_first(f"from {rank}"),
        "part": list(group.part(7, "views")),
    }


def test_sums_and_their_gradients() -> None:
    found = values(run_ranks(3, sums))
    for rank, one in enumerate(found):
        x, y = one["sums"]
        assert x.tolist() == [6.0] * 3
        assert y.tolist() == [[30.0] * 2] * 2
        dx, dy = one["gradients"]
        assert dx.tolist() == [(1 + 2 + 3) * 2 * 6.0] * 3
        assert dy.tolist() == [[3.0] * 2] * 2
        assert one["half"].dtype == torch.float32
        assert one["half"].tolist() == [4.5, 4.5]
        assert one["shared"] == [0, 1, 2]
        assert one["gathered"] == ([0, 1, 2] if rank == 0 else [])
        assert one["mean"] == [1.0, 1.0]
        assert one["first"] == "from 0"
    assert [view for one in found for view in one["part"]] == list(range(7))


def test_alone_sends_nothing_and_copies_nothing() -> None:
    group = Group.alone(CPU)
    tensors: tuple[Tensor, ...] = (torch.ones(2), torch.ones(3))
    assert group.sum(tensors) is tensors
    assert group.share("x") == group.gather("x") == ["x"]
    assert group.of_first(3) == 3
    assert group.slowest(None) is None
    assert list(group.part(5, "views")) == [0, 1, 2, 3, 4]
    with pytest.raises(ConfigError, match="0 views cannot be dealt to 1"):
        group.part(0, "views")


def grid(group: Group) -> tuple[float, float, int, int]:
    column, row = group.mesh(2)
    mine = (torch.tensor([float(group.rank)]),)
    return column.sum(mine)[0].item(), row.sum(mine)[0].item(), column.rank, row.rank


def test_a_mesh_has_rows_and_columns() -> None:
    assert values(run_ranks(4, grid)) == [
        (0 + 2, 0 + 1, 0, 0),
        (1 + 3, 0 + 1, 0, 1),
        (0 + 2, 2 + 3, 1, 0),
        (1 + 3, 2 + 3, 1, 1),
    ]


def test_rows_must_be_whole() -> None:
    with pytest.raises(ConfigError, match="1 ranks do not make groups of 2"):
        Group.alone(CPU).mesh(2)


def reported(group: Group) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    total = (4, 2)[group.rank]
    report = group.slowest(lambda done, total: seen.append((done, total)))
    assert report is not None
    if group.is_first:
        for done in range(1, total + 1):
            report(done, total)
        group.wait()
        group.wait()
        report(total, total)
    else:
        group.wait()
        report(1, total)
        group.wait()
    return seen


def test_progress_is_that_of_the_slowest() -> None:
    first, second = values(run_ranks(2, reported))
    assert first == [(0, 4)] * 4 + [(2, 4)]
    assert second == [(1, 2)]


def failing(group: Group, how: str, when: str) -> None:
    """The second rank fails before, in or after a sum; the others go on as usual."""

    def fail() -> None:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "memory":
            raise MemoryError
        if how == "allocator":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: 12")
        if how == "image":
            raise ImageError("b.png is no image", remedy="Restore it")
        if how == "cancel":
            raise KeyboardInterrupt

    is_second = group.rank == 1
    if is_second and when == "before":
        fail()
    group.sum((torch.ones(1000),))
    if is_second and when == "after":
        fail()
    if is_second and when == "in":
        signal.signal(signal.SIGALRM, lambda *_: fail())
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        tensors = (torch.ones(2**20),)
        while True:
            group.sum(tensors)
    if when == "in":
        while True:
            group.sum((torch.ones(2**20),))
    group.sum((torch.ones(1000),))
    group.sum((torch.ones(1000),))


CAUSES = {
    "memory": "rank 1 of 3 (cpu) is out of memory",
    "allocator": "rank 1 of 3 (cpu) is out of memory",
    "image": "b.png is no image",
    "cancel": "KeyboardInterrupt",
}


@pytest.mark.parametrize(
    ("how", "when"),
    [
        ("kill", "before"),
        ("image", "before"),
        ("kill", "after"),
        *((how, "in") for how in ("kill", *CAUSES)),
    ],
)
def test_a_rank_that_fails_ends_all_within_seconds(how: str, when: str) -> None:
    ends = run_ranks(3, failing, how, when)
    assert ends[0].seconds < 20
    others = [ends[0].error, ends[2].error]
    assert None not in others
    if how == "kill":
        assert ends[1].exit_code == -signal.SIGKILL
        kinds = sorted(str(error).partition(":")[0] for error in others)
        assert kinds == ["RankError", "StoppedError"]  # one says it
        # The other one may wait for the one that says it, and be named too.
        gone = re.compile("rank (1|0 or 1|1 or 2) of 3 does not answer")
        assert all(gone.search(str(error)) for error in others)
    else:
        assert CAUSES[how] in str(ends[1].error)
        for error in others:
            assert str(error).startswith("StoppedError: rank 1 of 3 failed (")
            assert CAUSES[how] in str(error)


def hanging(group: Group) -> None:
    if group.rank == 1:
        time.sleep(9)
        return
    group.sum((torch.ones(3),))


def test_a_rank_that_hangs_is_named_when_patience_ends() -> None:
    ends = run_ranks(3, hanging, patience=timedelta(seconds=3))
    for one in (ends[0], ends[2]):
        assert "rank 1 of 3 does not answer" in str(one.error)


def named(group: Group, devices: list[str]) -> None:
    replace(group, device=torch.device(devices[group.rank])).check_devices()


def test_ranks_of_a_machine_that_share_a_cuda_device_are_refused() -> None:
    values(run_ranks(2, named, ["cuda:0", "cuda:1"]))
    values(run_ranks(2, named, ["cpu", "cpu"]))
    errors = [str(end.error) for end in run_ranks(2, named, ["cuda:1", "cuda:1"])]
    assert all("ranks 0 and 1 share cuda:1 of " in error for error in errors)
    assert any(error.startswith("ConfigError") for error in errors)


def refused(group: Group) -> range:
    return group.part(2, "views")


def test_more_ranks_than_views_are_refused_by_one() -> None:
    errors = [str(end.error) for end in run_ranks(3, refused)]
    text = "2 views cannot be dealt to 3 ranks. Use at most 2, so that each has one."
    assert sorted(error.partition(":")[0] for error in errors) == [
        *("ConfigError", "StoppedError", "StoppedError")
    ]
    assert all(text.partition(".")[0] in error for error in errors)
