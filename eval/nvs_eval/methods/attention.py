"""Two networks that LaCT is compared with: full attention, and registers.

Both are LaCT's network with its LaCT layers replaced by attention (Sec. 5.1, App. C.1
of the paper); tokens, window attention, MLP and output are ours. What the blocks keep
of the inputs, keys and values, stands where LaCT has fast weights.

    full attention   input tokens attend to all input tokens; a view to be rendered
                     attends to them. Both together are one pass under a block-causal
                     mask. The state is the keys and values of every block.
    registers        in the first half of the blocks, input tokens and registers attend
                     to all of both; in the second, a view to be rendered attends to the
                     registers. The state is the registers' keys and values.

The text leaves open what a view to be rendered does in the first half of the register
network's blocks: here, window attention and MLP only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from nvs.cameras import Camera, PoseNormalisation
from nvs.config import ModelConfig
from nvs.errors import CheckpointError
from nvs.model.block import Block
from nvs.model.fast_weight import FastWeights
from nvs.model.network import LINEAR_STD, LaCTNetwork
from nvs.model.ray_point import Turns
from nvs.model.tokens import posed_rays
from nvs.scene import PosedViews
from nvs.scene.precision import Precision
from nvs.tensor_file import content_digest, read_tensors, write_tensors
from nvs_eval.methods.base import Built, Images

Kind = Literal["full_attention", "register"]
KINDS: tuple[Kind, ...] = ("full_attention", "register")
NUM_REGISTERS = 4096

FORMAT = "lact-nvs attention network"
REMEDY = "Give a file that save_attention_network wrote for this kind of network."


class CrossAttention(nn.Module):
    """Attention of some tokens to others; queries and keys are RMS-normalised."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_dim = config.attention_head_dim
        self.query = nn.Linear(config.dim, config.dim, bias=False)
        self.key_value = nn.Linear(config.dim, 2 * config.dim, bias=False)
        self.query_norm = nn.RMSNorm(self.head_dim)
        self.key_norm = nn.RMSNorm(self.head_dim)
        self.output = nn.Linear(config.dim, config.dim, bias=False)

    def write(self, x: Float[Tensor, "batch token dim"]) -> FastWeights:
        """Keys and values of tokens, (batch, head, token, head_dim) each."""
        k, v = rearrange(
            self.key_value(x), "b t (n h d) -> n b h t d", n=2, d=self.head_dim
        )
        return self.key_norm(k.float()).to(v.dtype), v

    def read(
        self,
        memory: FastWeights,
        x: Float[Tensor, "batch token dim"],
        turns: Turns | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """What tokens find among keys and values; `turns` is None here."""
        q = rearrange(self.query(x), "b t (h d) -> b h t d", d=self.head_dim)
        q = self.query_norm(q.float()).to(q.dtype)
        k, v = (part.to(q.dtype) for part in memory)
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.output(rearrange(attended, "b h t d -> b t (h d)"))


class AttentionBlock(Block):
    """LaCT's block with attention in the place of the LaCT layer."""

    lact: CrossAttention  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.lact = CrossAttention(config)

    def memory(self, x: Float[Tensor, "batch view token dim"]) -> FastWeights:
        """Keys and values of all tokens of all views."""
        return self.lact.write(self.lact_norm(rearrange(x, "b v t d -> b (v t) d")))

    def read(
        self,
        x: Float[Tensor, "batch view token dim"],
        weights: FastWeights,
        turns: Turns | None = None,
    ) -> Float[Tensor, "batch view token dim"]:
        """The attention residual layer; left out where there is nothing to read."""
        return super().read(x, weights, turns) if weights else x


class AttentionNetwork(LaCTNetwork):
    """LaCT's tokens, blocks and output around attention instead of fast weights.

    `render` is that of `LaCTNetwork`, from what this `prefill` returns.

    Args:
        config: Shape of the network; what concerns fast weights is not used.
        kind: Which of the two.
        num_registers: Number of registers, for that kind.
    """

    def __init__(
        self, config: ModelConfig, kind: Kind, num_registers: int = NUM_REGISTERS
    ) -> None:
        super().__init__(replace(config, fast_position="none", reprojection=False))
        self.kind: Kind = kind
        self.num_registers = num_registers if kind == "register" else 0
        self.blocks = nn.ModuleList(AttentionBlock(config) for _ in self.blocks)
        self.registers = nn.Parameter(torch.empty(self.num_registers, config.dim))
        self.initialise()
        nn.init.normal_(self.registers, std=LINEAR_STD)

    def prefill(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        image: Float[Tensor, "batch view 3 height width"],
        pivot: Float[Tensor, "batch 3"] | None = None,
        surface: Float[Tensor, "batch view 2 down across"] | None = None,
    ) -> tuple[FastWeights, ...]:
        """Keys and values of every block; none where a render reads nothing."""
        x = self.embed(posed, image)
        views = x.shape[1]
        registers = self.registers.expand(len(x), 1, -1, -1)
        full = self.kind == "full_attention"
        blocks = cast("list[AttentionBlock]", self.layers)
        mixing = len(blocks) if full else len(blocks) // 2
        state: list[FastWeights] = []
        for block in blocks[:mixing]:
            inputs = rearrange(block.attend(x), "b v t d -> b 1 (v t) d")
            tokens = torch.cat([inputs, registers.to(inputs.dtype)], dim=2)
            memory = block.memory(tokens)
            state.append(memory if full else ())
            if len(state) == len(blocks):
                break
            tokens = block.transform(block.read(tokens, memory))
            inputs, registers = tokens.split([inputs.shape[2], self.num_registers], 2)
            x = rearrange(inputs, "b 1 (v t) d -> b v t d", v=views)
        state.extend(block.memory(registers) for block in blocks[mixing:])
        return tuple(state)


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


class AttentionMethod:
    """Prefill of all views at once, then one view rendered after another."""

    def __init__(
        self, named: NamedNetwork, *, device: torch.device, precision: str | None
    ) -> None:
        self.device = device
        self.precision = Precision.named(precision, device)
        self.network = named.network.to(device).requires_grad_(False)
        self.patch_size = self.network.config.patch_size
        self.name = f"{self.network.kind} ({named.name})"
        self.about = {
            "method": self.network.kind,
            "weights": named.name,
            "weights_digest": named.digest,
            "precision": self.precision.name,
        }

    def build(self, views: PosedViews, normalisation: PoseNormalisation) -> Built:
        """Attend among the inputs."""
        posed = self._posed(normalisation.apply(views.camera))
        with torch.no_grad(), self.precision.autocast(self.device):
            state = self.network.prefill(posed, views.image.to(self.device)[None])

        def render(camera: Camera) -> Images:
            for one in normalisation.apply(camera):
                with torch.no_grad(), self.precision.autocast(self.device):
                    image = self.network.render(state, self._posed(one))
                yield rearrange(image[0, 0], "c h w -> h w c").float().cpu()

        return Built(
            state_bytes=sum(part.nbytes for memory in state for part in memory),
            render=render,
        )

    def _posed(self, camera: Camera) -> Float[Tensor, "1 view 9 height width"]:
        return posed_rays(camera.to(self.device, torch.float32))
