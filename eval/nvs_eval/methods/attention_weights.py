"""Weights of the attention networks: drawn at random, or from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from nvs.config import ModelConfig
from nvs.errors import CheckpointError
from nvs.tensor_file import content_digest, read_tensors, write_tensors
from nvs_eval.methods.attention import NUM_REGISTERS, AttentionNetwork, Kind

FORMAT = "lact-nvs attention network"
REMEDY = "Give a file that save_attention_network wrote for this kind of network."


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedNetwork:
    """A network and what to call it."""

    network: AttentionNetwork
    """The network, float32 on the CPU."""
    name: str
    """What to call its weights."""
    digest: str
    """SHA-256 of its weights."""


def random_network(
    kind: Kind, config: ModelConfig, *, seed: int, num_registers: int = NUM_REGISTERS
) -> NamedNetwork:
    """A network as it is before any training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AttentionNetwork(config, kind, num_registers).eval()
    return _named(network, f"random weights, seed {seed}")


def save_attention_network(path: Path | str, network: AttentionNetwork) -> None:
    """Write a network's weights with its configuration inside.

    Raises:
        OutputError: If the file cannot be written.
    """
    write_tensors(path, network.state_dict(), _metadata(network))


def load_attention_network(path: Path | str, kind: Kind) -> NamedNetwork:
    """Read what `save_attention_network` wrote.

    Raises:
        CheckpointError: If the file is missing, damaged or holds something else.
    """
    tensors, metadata, _ = read_tensors(path, error=CheckpointError, remedy=REMEDY)
    if metadata.get("format") != FORMAT or metadata.get("kind") != kind:
        raise CheckpointError(f"{path} holds no {kind} network", remedy=REMEDY)
    config = ModelConfig.from_json(metadata["config"])
    network = AttentionNetwork(config, kind, metadata["num_registers"]).eval()
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit its own configuration "
            f"({str(error).splitlines()[-1].strip()})",
            remedy=REMEDY,
        ) from error
    return _named(network, Path(path).stem)


def _named(network: AttentionNetwork, name: str) -> NamedNetwork:
    digest = content_digest(network.state_dict(), _metadata(network))
    return NamedNetwork(network=network, name=name, digest=digest)


def _metadata(network: AttentionNetwork) -> dict[str, object]:
    return {
        "format": FORMAT,
        "kind": network.kind,
        "config": network.config.to_json(),
        "num_registers": network.num_registers,
    }
