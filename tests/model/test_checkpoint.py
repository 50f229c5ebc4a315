from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from nvs.config import ModelConfig
from nvs.errors import CheckpointError
from nvs.model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    random_checkpoint,
    save_checkpoint,
)

CONFIG = ModelConfig(dim=32, num_blocks=2, attention_head_dim=16, fast_head_dim=32)


@pytest.fixture
def checkpoint() -> Checkpoint:
    return random_checkpoint(CONFIG)


@pytest.fixture
def saved(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, CONFIG, checkpoint.state, about={"steps": 3})
    return path


def released(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    """The state under the published names, written out one by one."""
    ours = checkpoint.state
    theirs = {
        "input_linear.weight": ours["embedding.weight"],
        "input_layernorm.weight": ours["embedding_norm.weight"],
        "image_token_decoder.0.weight": ours["output_norm.weight"],
        "image_token_decoder.1.weight": ours["output.weight"],
    }
    for i in range(2):
        at, own = f"blocks.{i}.module_list", f"blocks.{i}"
        theirs |= {
            f"{at}.0.ln.weight": ours[f"{own}.attention_norm.weight"],
            f"{at}.0.f.to_qkv.weight": ours[f"{own}.attention.qkv.weight"],
            f"{at}.0.f.c_proj.weight": ours[f"{own}.attention.output.weight"],
            f"{at}.0.f.q_norm.weight": ours[f"{own}.attention.query_norm.weight"],
            f"{at}.0.f.k_norm.weight": ours[f"{own}.attention.key_norm.weight"],
            f"{at}.1.ln.weight": ours[f"{own}.lact_norm.weight"],
            f"{at}.1.f.to_qkv.weight": ours[f"{own}.lact.qkv.weight"],
            f"{at}.1.f.c_proj.weight": ours[f"{own}.lact.output.weight"],
            f"{at}.1.f.lr_fc.weight": ours[f"{own}.lact.learning_rate.weight"],
            f"{at}.1.f.lr_fc.bias": ours[f"{own}.lact.learning_rate.bias"],
            f"{at}.1.f.o_norm.weight": ours[f"{own}.lact.read_norm.weight"],
            f"{at}.1.f.w0": ours[f"{own}.lact.initial.0"],
            f"{at}.1.f.w1": ours[f"{own}.lact.initial.1"],
            f"{at}.1.f.w2": ours[f"{own}.lact.initial.2"],
            f"{at}.2.ln.weight": ours[f"{own}.mlp_norm.weight"],
            f"{at}.2.f.c_fc.weight": ours[f"{own}.mlp.expand.weight"],
            f"{at}.2.f.c_proj.weight": ours[f"{own}.mlp.output.weight"],
        }
    return theirs


def test_round_trip(checkpoint: Checkpoint, saved: Path) -> None:
    found = load_checkpoint(saved)
    assert found.config == CONFIG
    assert found.about == {"steps": 3}
    assert found.digest == checkpoint.digest
    for name, tensor in checkpoint.state.items():
        assert torch.equal(found.state[name], tensor)
    state = found.network().state_dict()
    assert all(torch.equal(state[name], t) for name, t in checkpoint.state.items())


def test_released_form_gives_the_same_network(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "released.pt"
    torch.save({"model": released(checkpoint), "step": 7}, path)
    found = load_checkpoint(path)
    assert found.config == CONFIG
    assert found.digest == checkpoint.digest


def test_digest_depends_on_the_weights_and_the_configuration(
    checkpoint: Checkpoint,
) -> None:
    assert random_checkpoint(CONFIG, seed=1).digest != checkpoint.digest
    assert random_checkpoint(CONFIG, seed=0).digest == checkpoint.digest


def test_truncated_safetensors(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"truncated .* bytes.*again"):
        load_checkpoint(saved)


def test_flipped_bit(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-5] ^= 1
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged: its content does not match"):
        load_checkpoint(saved)


def test_truncated_pickle(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "released.pt"
    torch.save({"model": released(checkpoint)}, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"truncated .*\(1000 bytes"):
        load_checkpoint(path)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("ran",))


def test_code_in_a_pickle_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"model": Evil()}, path, pickle_module=pickle)
    with pytest.raises(CheckpointError, match="Files that hold code are refused"):
        load_checkpoint(path)
    assert "ran" not in capsys.readouterr().out


def test_a_file_without_a_model(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save({"weights": {}}, path)
    with pytest.raises(CheckpointError, match='no state dict under "model"'):
        load_checkpoint(path)


def test_a_state_dict_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save({"model": {"conv.weight": torch.zeros(3)}}, path)
    with pytest.raises(CheckpointError, match=r"embedding\.weight' is missing"):
        load_checkpoint(path)


def test_missing_misshapen_and_unknown_keys_are_named(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "net.pt"
    theirs = released(checkpoint)
    missing = {k: v for k, v in theirs.items() if "blocks.1.module_list.1.f.w1" != k}
    torch.save({"model": missing}, path)
    with pytest.raises(CheckpointError, match=r"blocks\.1\.lact\.initial\.1 is miss"):
        load_checkpoint(path)
    torch.save({"model": theirs | {"extra": torch.zeros(1)}}, path)
    with pytest.raises(CheckpointError, match="unknown weight extra"):
        load_checkpoint(path)
    torch.save({"model": theirs | {"input_layernorm.weight": torch.zeros(5)}}, path)
    with pytest.raises(
        CheckpointError, match=r"embedding_norm\.weight has shape \(5,\), expected \(32"
    ):
        load_checkpoint(path)


def test_another_configuration_than_expected(saved: Path) -> None:
    other = ModelConfig(dim=32, num_blocks=3, attention_head_dim=16, fast_head_dim=32)
    with pytest.raises(CheckpointError, match="num_blocks is 2, not 3"):
        load_checkpoint(saved, other)


def test_missing_file(tmp_path: Path) -> None:
    for name in ("none.safetensors", "none.pt"):
        with pytest.raises(CheckpointError, match="there is no such file"):
            load_checkpoint(tmp_path / name)


@pytest.mark.parametrize("held", ["none", "ray_point"])
def test_networks_that_differ_in_positions_are_told_apart(
    tmp_path: Path, held: str
) -> None:
    values = {"dim": 32, "num_blocks": 1, "fast_head_dim": 32}
    values |= {"attention_head_dim": 16}
    other = {"none": "ray_point", "ray_point": "none"}[held]
    config = ModelConfig(**values, fast_position=held)
    made = random_checkpoint(config)
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, config, made.state, about={})
    assert load_checkpoint(path, config).config == config
    with pytest.raises(CheckpointError, match=f"fast_position is {held}, not {other}"):
        load_checkpoint(path, ModelConfig(**values, fast_position=other))
