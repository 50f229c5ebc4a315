"""Exports: shards under their size that join to the same file."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nvs.errors import CheckpointError, OutputError
from nvs.model import LaCTNetwork
from nvs.model.checkpoint import load_checkpoint
from nvs.model.shards import MANIFEST, WEIGHTS, join_shards
from nvs.train import session
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture
from nvs.train.runtime import build_network


@pytest.fixture
def network(make_config: Callable[..., TrainConfig]) -> LaCTNetwork:
    return build_network(make_config())


def export(folder: Path, network: LaCTNetwork, shard_bytes: int | None) -> list[Path]:
    return session.export_weights(
        folder,
        network.config,
        network.state_dict(),
        about={"steps": 3},
        shard_bytes=shard_bytes,
    )


@pytest.fixture
def other(make_config: Callable[..., TrainConfig]) -> LaCTNetwork:
    return build_network(make_config(seed=1))


def test_one_file_where_it_fits(network: LaCTNetwork, tmp_path: Path) -> None:
    assert export(tmp_path, network, None) == [tmp_path / WEIGHTS]
    assert export(tmp_path, network, 2**20) == [tmp_path / WEIGHTS]
    checkpoint = load_checkpoint(tmp_path / WEIGHTS)
    assert checkpoint.about == {"steps": 3}
    for name, tensor in network.state_dict().items():
        assert torch.equal(checkpoint.state[name], tensor.bfloat16())


def test_shards_join_to_the_same_weights(network: LaCTNetwork, tmp_path: Path) -> None:
    (whole,) = export(tmp_path / "whole", network, None)
    expected = load_checkpoint(whole)
    paths = export(tmp_path / "shards", network, 40_000)
    assert paths[-1].name == MANIFEST
    assert len(paths) > 3
    assert all(path.stat().st_size <= 40_000 for path in paths)
    assert sorted((tmp_path / "shards").iterdir()) == sorted(paths)
    join_shards(paths[-1], tmp_path / "joined.safetensors")
    joined = load_checkpoint(tmp_path / "joined.safetensors")
    assert joined.digest == expected.digest
    assert joined.about == expected.about


def test_training_can_begin_from_file_folder_and_shards(
    make_config: Callable[..., TrainConfig],
    painted: Mixture,
    network: LaCTNetwork,
    tmp_path: Path,
) -> None:
    export(tmp_path / "whole", network, None)
    export(tmp_path / "shards", network, 40_000)
    digest = load_checkpoint(tmp_path / "whole").digest
    rates = ("learning_rate", "muon_learning_rate", "patch_learning_rate")
    standstill = dict.fromkeys(rates, 1e-30)
    values = make_config(seed=7, steps=1, **standstill).to_json()
    for index, path in enumerate(("whole/weights.safetensors", "whole", "shards")):
        trained = session.train(
            tmp_path / f"run{index}",
            values=values,
            init=tmp_path / path,
            mixture=painted,
            export=tmp_path / f"run{index}" / "weights",
            quiet=True,
        )
        found = trained.learner.network.state_dict()
        for name, tensor in network.state_dict().items():
            expected = tensor.bfloat16().float()
            torch.testing.assert_close(found[name], expected, rtol=0, atol=1e-25)
        exported = load_checkpoint(tmp_path / f"run{index}" / "weights")
        assert exported.about["training"]["initial_digest"] == digest


def test_weights_may_begin_to_turn_by_another_point(
    make_config: Callable[..., TrainConfig],
    painted: Mixture,
    network: LaCTNetwork,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export(tmp_path / "whole", network, None)
    values = make_config(steps=1).to_json()
    before = values["model"]["fast_position"]
    after = "none" if before == "ray_point" else "ray_point"
    values["model"] |= {"fast_position": after}
    session.train(
        tmp_path / "run", values=values, init=tmp_path / "whole", mixture=painted
    )
    said = capsys.readouterr()
    told = f"had fast_position = {before}; here fast_position = {after}"
    assert told in said.out + said.err


def test_a_larger_network_begins_as_a_smaller_one(
    make_config: Callable[..., TrainConfig],
    painted: Mixture,
    network: LaCTNetwork,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export(tmp_path / "whole", network, None)
    values = make_config(steps=1).to_json()
    more = network.config.num_blocks + 1
    values["model"] |= {"num_blocks": more}
    run = {"init": tmp_path / "whole", "mixture": painted}
    trained = session.train(tmp_path / "run", values=values, **run)
    said = capsys.readouterr()
    assert f"num_blocks = {more - 1}; here num_blocks = {more}" in said.out + said.err
    assert len(trained.learner.network.layers) == more
    values["model"] |= {"num_blocks": more - 2}
    with pytest.raises(CheckpointError, match="num_blocks"):
        session.train(tmp_path / "other", values=values, **run)


FORMS = {"one file": None, "few shards": 60_000, "many shards": 30_000}


@pytest.mark.parametrize("after", FORMS)
@pytest.mark.parametrize("before", FORMS)
def test_a_second_export_takes_the_place_of_the_first(
    network: LaCTNetwork, other: LaCTNetwork, tmp_path: Path, before: str, after: str
) -> None:
    export(tmp_path, other, FORMS[before])
    (tmp_path / "notes.txt").touch()
    (tmp_path / "mine.shard").touch()
    paths = export(tmp_path, network, FORMS[after])
    assert (len(paths) > 1) == (after != "one file")
    mine = [tmp_path / "mine.shard", tmp_path / "notes.txt"]
    assert sorted(tmp_path.iterdir()) == sorted([*paths, *mine])
    found = load_checkpoint(tmp_path, network.config).state
    for name, tensor in network.state_dict().items():
        assert torch.equal(found[name], tensor.bfloat16())


class Killed(BaseException):
    """Stands for SIGKILL: nothing is tidied up after it."""


class Interruption:
    """Raises instead of the n-th rename or removal of a file; then nothing works."""

    def __init__(
        self, patch: pytest.MonkeyPatch, error: BaseException, count: int
    ) -> None:
        self.error = error
        self.left = count
        patch.setattr(os, "replace", self.wrap(os.replace))
        patch.setattr(Path, "unlink", self.wrap(Path.unlink))
        rmtree = shutil.rmtree
        tidies = not isinstance(error, Killed)
        patch.setattr(shutil, "rmtree", lambda *a, **k: tidies and rmtree(*a, **k))

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def interrupted(*values: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise self.error
            return function(*values, **options)

        return interrupted


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        pytest.param("one file", "few shards", Killed(), marks=pytest.mark.slow),
        pytest.param("few shards", "one file", Killed(), marks=pytest.mark.slow),
        ("few shards", "few shards", Killed()),
        ("many shards", "few shards", FULL),
    ],
)
def test_an_interrupted_export_loses_nothing(
    network: LaCTNetwork,
    other: LaCTNetwork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    error: BaseException,
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    old, new = tmp_path / "old", tmp_path / "new"
    export(old, other, FORMS[before])
    digests = [load_checkpoint(old).digest]
    names = sorted(path.name for path in export(new, network, FORMS[after]))
    digests.append(load_checkpoint(new).digest)
    found: list[int] = []
    for count in itertools.count():
        folder = tmp_path / f"interrupted-{count}"
        shutil.copytree(old, folder)
        with monkeypatch.context() as patch:
            Interruption(patch, error, count)
            try:
                export(folder, network, FORMS[after])
            except (Killed, OutputError):
                is_over = False
            else:
                is_over = True
        found.append(digests.index(load_checkpoint(folder).digest))
        export(folder, network, FORMS[after])
        assert sorted(path.name for path in folder.iterdir()) == names
        if is_over:
            break
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 1)


def test_what_does_not_read_back_is_not_kept(
    network: LaCTNetwork,
    other: LaCTNetwork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export(tmp_path, other, None)
    before = load_checkpoint(tmp_path).digest
    save = session.save_checkpoint

    def damaged(path: Path, *values: Any, **options: Any) -> str:
        digest = save(path, *values, **options)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        return digest

    monkeypatch.setattr(session, "save_checkpoint", damaged)
    with pytest.raises(CheckpointError, match="damaged"):
        export(tmp_path, network, None)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]
    assert load_checkpoint(tmp_path).digest == before
