"""Exports: shards under their size that join to the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nvs.model import LaCTNetwork
from nvs.model.checkpoint import load_checkpoint
from nvs.model.shards import MANIFEST, WEIGHTS, join_shards
from nvs.train.config import TrainConfig
from nvs.train.export import export_weights
from nvs.train.runtime import build_network
from nvs.train.session import load_initial


@pytest.fixture
def network(make_config: Callable[..., TrainConfig]) -> LaCTNetwork:
    return build_network(make_config())


def export(folder: Path, network: LaCTNetwork, shard_bytes: int | None) -> list[Path]:
    return export_weights(
        folder,
        network.config,
        network.state_dict(),
        about={"steps": 3},
        shard_bytes=shard_bytes,
    )


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
    network: LaCTNetwork, tmp_path: Path
) -> None:
    export(tmp_path / "whole", network, None)
    export(tmp_path / "shards", network, 40_000)
    expected = {k: v.bfloat16().float() for k, v in network.state_dict().items()}
    for path in ("whole/weights.safetensors", "whole", "shards"):
        found = load_initial(tmp_path / path, network.config)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
