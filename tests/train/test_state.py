"""Checkpoints: whole or refused, and never lost to a failed write."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvs.errors import CheckpointError, OutputError
from nvs.train.config import TrainConfig
from nvs.train.state import TrainState, list_states, load_state, save_state

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture
def state(make_config: MakeConfig) -> TrainState:
    return TrainState(
        config=make_config(),
        step=3,
        elapsed_seconds=1.5,
        num_skipped=1,
        network={"weight": torch.arange(6.0)},
        mean={"weight": torch.ones(6)},
        optimisers=[{"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": []}],
        random={"cpu": torch.get_rng_state()},
    )


def test_a_checkpoint_survives_the_disk(state: TrainState, tmp_path: Path) -> None:
    read = load_state(save_state(tmp_path, state))
    assert (read.config, read.step, read.num_skipped) == (state.config, 3, 1)
    assert read.elapsed_seconds == 1.5
    assert torch.equal(read.network["weight"], state.network["weight"])
    assert torch.equal(read.mean["weight"], state.mean["weight"])
    assert read.optimisers == state.optimisers
    assert torch.equal(read.random["cpu"], state.random["cpu"])


def test_the_last_two_are_kept(state: TrainState, tmp_path: Path) -> None:
    for step in (9, 10, 99_999_999, 100_000_000):
        save_state(tmp_path, replace(state, step=step))
    names = [path.name for path in list_states(tmp_path)]
    assert names == ["checkpoint-99999999.pt", "checkpoint-100000000.pt"]


def test_every_kind_of_damage_is_noticed(state: TrainState, tmp_path: Path) -> None:
    save_state(tmp_path, replace(state, step=2))
    path = save_state(tmp_path, state)
    whole = path.read_bytes()
    remedy = "Delete it to go on from checkpoint-00000002.pt."
    for position in range(30, len(whole), len(whole) // 20):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="is damaged") as caught:
            load_state(path)
        assert caught.value.remedy == remedy
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="bytes do not match their digest"):
        load_state(path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="is not a training checkpoint"):
        load_state(path)


def test_without_an_earlier_one_the_remedy_is_to_begin_again(
    state: TrainState, tmp_path: Path
) -> None:
    path = save_state(tmp_path, state)
    path.write_bytes(b"garbage")
    with pytest.raises(CheckpointError) as caught:
        load_state(path)
    assert caught.value.remedy == "Start again without --resume, in another folder."


def test_a_full_disk_costs_no_checkpoint(
    state: TrainState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_state(tmp_path, state)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nvs.files.os.fsync", full)
    for step in (3, 4, 5):
        with pytest.raises(OutputError, match="no space left on the disk"):
            save_state(tmp_path, replace(state, step=step))
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == [path]
    assert load_state(path).step == 3
