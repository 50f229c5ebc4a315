"""Two networks that LaCT is compared with: full attention, and registers.

Both are LaCT's network with its LaCT layers replaced (Sec. 5.1, App. C.1 of the paper);
tokens, window attention, MLP and output are ours.

    full attention   input tokens attend to all input tokens; a view to be rendered
                     attends to them. The state is the keys and values of every block.
    registers        in the first half of the blocks, input tokens and registers attend
                     to all of both; in the second, a view to be rendered attends to the
                     registers. The state is the registers' keys and values.

The text leaves open what a view to be rendered does in the first half of the register
network's blocks: here, window attention and MLP only.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from nvs.config import ModelConfig
from nvs.model.layers import MLP, WindowAttention
from nvs.model.network import LINEAR_STD, LaCTNetwork

Kind = Literal["full_attention", "register"]
Memory: TypeAlias = tuple[Tensor, Tensor]
"""Keys and values, (batch, head, token, head_dim)."""
State: TypeAlias = tuple[Memory, ...]

NUM_REGISTERS = 4096


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

    def memory(self, x: Float[Tensor, "batch token dim"]) -> Memory:
        """What tokens offer to be attended to."""
        k, v = rearrange(
            self.key_value(x), "b t (n h d) -> n b h t d", n=2, d=self.head_dim
        )
        return self.key_norm(k.float()).to(v.dtype), v

    def forward(
        self, x: Float[Tensor, "batch token dim"], memory: Memory
    ) -> Float[Tensor, "batch token dim"]:
        """What tokens find in a memory."""
        q = rearrange(self.query(x), "b t (h d) -> b h t d", d=self.head_dim)
        q = self.query_norm(q.float()).to(q.dtype)
        k, v = (part.to(q.dtype) for part in memory)
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.output(rearrange(attended, "b h t d -> b t (h d)"))


class AttentionBlock(nn.Module):
    """LaCT's block with attention in the place of the LaCT layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim, bias=False)
        self.attention = WindowAttention(config)
        self.cross_norm = nn.LayerNorm(config.dim, bias=False)
        self.cross = CrossAttention(config)
        self.mlp_norm = nn.LayerNorm(config.dim, bias=False)
        self.mlp = MLP(config)

    def attend(
        self, x: Float[Tensor, "batch view token dim"]
    ) -> Float[Tensor, "batch view token dim"]:
        """The window-attention residual layer."""
        return x + self.attention(self.attention_norm(x))

    def memory(self, x: Float[Tensor, "batch token dim"]) -> Memory:
        """Keys and values of tokens."""
        return self.cross.memory(self.cross_norm(x))

    def read(
        self, x: Float[Tensor, "batch token dim"], memory: Memory
    ) -> Float[Tensor, "batch token dim"]:
        """The cross-attention residual layer."""
        return x + self.cross(self.cross_norm(x), memory)

    def transform(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """The MLP residual layer."""
        return x + self.mlp(self.mlp_norm(x))


class AttentionNetwork(LaCTNetwork):
    """LaCT's tokens, blocks and output around attention instead of fast weights.

    Args:
        config: Shape of the network; what concerns fast weights is not used.
        kind: Which of the two.
        num_registers: Number of registers, for that kind.
    """

    def __init__(
        self, config: ModelConfig, kind: Kind, num_registers: int = NUM_REGISTERS
    ) -> None:
        super().__init__(config)
        self.kind = kind
        self.num_registers = num_registers if kind == "register" else 0
        self.blocks = nn.ModuleList(
            AttentionBlock(config) for _ in range(config.num_blocks)
        )
        self.registers = nn.Parameter(torch.empty(self.num_registers, config.dim))
        self.initialise()
        nn.init.normal_(self.registers, std=LINEAR_STD)

    @property
    def first_read(self) -> int:
        """The first block in which views to be rendered read the state."""
        return 0 if self.kind == "full_attention" else self.config.num_blocks // 2

    def prefill_state(
        self,
        posed: Float[Tensor, "batch view 9 height width"],
        image: Float[Tensor, "batch view 3 height width"],
    ) -> State:
        """The state that input views leave."""
        x = self.embed(posed, image)
        views = x.shape[1]
        registers = self.registers.expand(x.shape[0], -1, -1)
        blocks: list[AttentionBlock] = list(self.blocks)  # pyright: ignore
        split = self.first_read or len(blocks)
        state: list[Memory] = []
        for index, block in enumerate(blocks[:split]):
            x = block.attend(x)
            inputs = rearrange(x, "b v t d -> b (v t) d")
            tokens = torch.cat([inputs, registers.to(inputs.dtype)], dim=1)
            memory = block.memory(tokens)
            if self.kind == "full_attention":
                state.append(memory)
                if index + 1 == len(blocks):
                    break
            tokens = block.transform(block.read(tokens, memory))
            inputs, registers = tokens.split([inputs.shape[1], self.num_registers], 1)
            x = rearrange(inputs, "b (v t) d -> b v t d", v=views)
        state.extend(block.memory(registers) for block in blocks[split:])
        return tuple(state)

    def render_state(
        self, state: State, posed: Float[Tensor, "batch view 9 height width"]
    ) -> Float[Tensor, "batch view 3 height width"]:
        """Images of cameras, each by itself, from a state."""
        x = self.embed(posed, None)
        views = x.shape[1]
        blocks: list[AttentionBlock] = list(self.blocks)  # pyright: ignore
        for index, block in enumerate(blocks):
            x = block.attend(x)
            if index >= self.first_read:
                tokens = rearrange(x, "b v t d -> b (v t) d")
                tokens = block.read(tokens, state[index - self.first_read])
                x = rearrange(tokens, "b (v t) d -> b v t d", v=views)
            x = block.transform(x)
        return self.decode(x, height=posed.shape[-2], width=posed.shape[-1])
