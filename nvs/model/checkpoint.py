"""Network weights on disk: our safetensors files and the released `.pt` files."""

from __future__ import annotations

import dataclasses
import pickle
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nvs.config import ModelConfig
from nvs.errors import CheckpointError, ConfigError
from nvs.model.network import LaCTNetwork
from nvs.model.shards import MANIFEST, WEIGHTS, exported_file, join_shards
from nvs.tensor_file import content_digest, read_tensors, write_tensors

FORMAT = "lact-nvs weights"
REMEDY = "Download or copy the weights again."

RELEASED_KEYS = (
    (r"^input_linear\.", "embedding."),
    (r"^input_layernorm\.", "embedding_norm."),
    (r"^image_token_decoder\.0\.", "output_norm."),
    (r"^image_token_decoder\.1\.", "output."),
    (r"\.module_list\.0\.ln\.", ".attention_norm."),
    (r"\.module_list\.1\.ln\.", ".lact_norm."),
    (r"\.module_list\.2\.ln\.", ".mlp_norm."),
    (r"\.module_list\.0\.f\.", ".attention."),
    (r"\.module_list\.1\.f\.", ".lact."),
    (r"\.module_list\.2\.f\.", ".mlp."),
    (r"\.to_qkv\.", ".qkv."),
    (r"\.c_proj\.", ".output."),
    (r"\.c_fc\.", ".expand."),
    (r"\.q_norm\.", ".query_norm."),
    (r"\.k_norm\.", ".key_norm."),
    (r"\.o_norm\.", ".read_norm."),
    (r"\.lr_fc\.", ".learning_rate."),
    (r"\.w([012])$", r".initial.\1"),
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checkpoint:
    """A network's configuration and weights, with what is known about them."""

    config: ModelConfig
    """The network that the weights fit."""
    state: Mapping[str, Tensor]
    """Weights under our names."""
    about: Mapping[str, Any]
    """Free-form JSON: where the weights come from, how they were trained."""
    digest: str
    """SHA-256 of configuration and weights; a scene records it."""

    def network(self) -> LaCTNetwork:
        """A network with these weights, in float32 on the CPU."""
        with torch.device("meta"):
            network = LaCTNetwork(self.config)
        network.load_state_dict(
            {name: tensor.float() for name, tensor in self.state.items()}, assign=True
        )
        return network.eval()


def load_checkpoint(path: Path | str, config: ModelConfig | None = None) -> Checkpoint:
    """Read a `.safetensors` file or exported folder of ours, or a released `.pt` file.

    Args:
        path: The file, a folder that training exported, or the manifest of shards.
        config: What the caller expects; needed for nothing, checked if given.

    Raises:
        CheckpointError: If the file is missing, truncated, damaged, not made of plain
            tensors, or does not fit the configuration; the message names the key.
    """
    path = Path(path)
    if path.is_dir():
        path = exported_file(path) or path / WEIGHTS
    if path.name == MANIFEST:
        with tempfile.TemporaryDirectory() as folder:
            join_shards(path, Path(folder) / WEIGHTS)
            return load_checkpoint(Path(folder) / WEIGHTS, config)
    if path.suffix == ".safetensors":
        tensors, metadata, _ = read_tensors(path, error=CheckpointError, remedy=REMEDY)
    else:
        tensors, metadata = _read_pickle(path), {}
    state = {released_to_ours(name): tensor for name, tensor in tensors.items()}
    if "config" in metadata:
        try:
            found = ModelConfig.from_json(metadata["config"])
        except ConfigError as error:
            raise CheckpointError(
                f"{path} is of a network that this version does not have: "
                f"{error.problem}",
                remedy="Use the version that wrote it, or other weights.",
            ) from error
    else:
        found = infer_config(state, path)
    if config is not None:
        check_config(path, found, config)
    _check_state(state, found, path)
    return Checkpoint(
        config=found,
        state=state,
        about=metadata.get("about", {}),
        digest=weights_digest(found, state),
    )


def check_config(path: Path, found: ModelConfig, wanted: ModelConfig) -> None:
    """Refuse a file whose network is not the one that is wanted.

    Raises:
        CheckpointError: Naming the file and every key that differs.
    """
    wrong = [
        f"{field.name} is {getattr(found, field.name)}, "
        f"not {getattr(wanted, field.name)}"
        for field in dataclasses.fields(ModelConfig)
        if getattr(found, field.name) != getattr(wanted, field.name)
    ]
    if wrong:
        raise CheckpointError(
            f"{path} holds another network: {'; '.join(wrong)}",
            remedy="Choose the weights that belong to this configuration.",
        )


def random_checkpoint(config: ModelConfig, seed: int = 0) -> Checkpoint:
    """A network as it is before any training, for measurements and tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = LaCTNetwork(config).state_dict()
    about = {"trained": False, "seed": seed}
    digest = weights_digest(config, state)
    return Checkpoint(config=config, state=state, about=about, digest=digest)


def save_checkpoint(
    path: Path | str,
    config: ModelConfig,
    state: Mapping[str, Tensor],
    *,
    about: Mapping[str, Any],
    dtype: torch.dtype = torch.float32,
) -> str:
    """Write weights with their configuration inside; returns their digest.

    Raises:
        OutputError: If the file cannot be written.
    """
    cast = {name: tensor.to(dtype) for name, tensor in state.items()}
    metadata = {"format": FORMAT, "config": config.to_json(), "about": dict(about)}
    write_tensors(path, cast, metadata)
    return weights_digest(config, cast)


def weights_digest(config: ModelConfig, state: Mapping[str, Tensor]) -> str:
    """Digest of what a network computes, whatever file it came from."""
    return content_digest(state, config.to_json())


def released_to_ours(name: str) -> str:
    """Our name of a weight that the released files call `name`."""
    for pattern, replacement in RELEASED_KEYS:
        name = re.sub(pattern, replacement, name)
    return name


def infer_config(state: Mapping[str, Tensor], path: Path | str) -> ModelConfig:
    """The configuration that fits the shapes of a released state dict.

    Raises:
        CheckpointError: If a weight that decides the configuration is missing.
    """
    try:
        dim, features = state["embedding.weight"].shape
        blocks = [int(n.split(".")[1]) for n in state if n.startswith("blocks.")]
        _, fast_head_dim, hidden = state["blocks.0.lact.initial.0"].shape
        return ModelConfig(
            dim=dim,
            num_blocks=max(blocks) + 1,
            patch_size=round((features / 12) ** 0.5),
            attention_head_dim=state["blocks.0.attention.query_norm.weight"].shape[0],
            fast_head_dim=fast_head_dim,
            fast_hidden_multiplier=hidden // fast_head_dim,
            mlp_hidden_multiplier=state["blocks.0.mlp.expand.weight"].shape[0] // dim,
        )
    except (KeyError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"{path} does not hold a LaCT network: {error} is missing or misshapen",
            remedy="Give a released LaCT checkpoint or one that `nvs` wrote.",
        ) from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(
            "there is no such file", remedy="Check the path.", subject=path
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} is truncated or not a plain tensor file "
            f"({path.stat().st_size} bytes: {reason})",
            remedy=f"{REMEDY} Files that hold code are refused.",
        ) from error
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise CheckpointError(
            f'{path} has no state dict under "model"',
            remedy="Give a checkpoint in the form of the released ones.",
        )
    return state


def _check_state(
    state: Mapping[str, Tensor], config: ModelConfig, path: Path | str
) -> None:
    with torch.device("meta"):
        expected = LaCTNetwork(config).state_dict()
    remedy = "Choose the weights that belong to this configuration."
    for name, tensor in expected.items():
        if name not in state:
            raise CheckpointError(f"{path}: weight {name} is missing", remedy=remedy)
        if state[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path}: weight {name} has shape {tuple(state[name].shape)}, "
                f"expected {tuple(tensor.shape)}",
                remedy=remedy,
            )
    for name in state:
        if name not in expected:
            raise CheckpointError(f"{path}: unknown weight {name}", remedy=remedy)
